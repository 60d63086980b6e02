// Work that the threads of XLA's pool share.

#pragma once

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>

#include "xla/ffi/api/ffi.h"

// Does `work(worker, task)` for every task, by this thread and by whoever of the pool comes in time,
// each with a worker of its own. A helper that comes late finds nothing left and touches nothing:
// so nobody is waited for who has not begun, and a full pool cannot dead-lock.
template <typename MakeWorker, typename Work>
void share(xla::ffi::ThreadPool& pool, int threads, int tasks, MakeWorker make_worker, Work work) {
  struct Shared {
    std::atomic<int> next{0};
    std::mutex mutex;
    std::condition_variable finished;
    int done = 0;
  };
  auto shared = std::make_shared<Shared>();
  auto run = [=] {
    int task = shared->next++;
    if (task >= tasks) return;
    auto worker = make_worker();
    int done = 0;
    for (; task < tasks; task = shared->next++, ++done) work(worker, task);
    const std::lock_guard<std::mutex> lock(shared->mutex);
    shared->done += done;
    shared->finished.notify_one();
  };
  threads = int(std::min<int64_t>({threads, tasks, pool.num_threads()}));
  for (int helper = 1; helper < threads; ++helper) pool.Schedule(decltype(run)(run));
  run();
  std::unique_lock<std::mutex> lock(shared->mutex);
  shared->finished.wait(lock, [&] { return shared->done == tasks; });
}
