"use strict";
// Texts are put into the page as text nodes alone, so none of them can be markup or a script.

const $ = (id) => document.getElementById(id);
const VIEWS = { whole: "the whole text", rationale: "the rationale alone", rest: "the text without it" };
const WAIT = 60; // ms between the slider's last move and the question
let about = null;
let answer = null;
let asked = null; // tokens or text in question
let stale = new AbortController();
let timer = 0;

function element(name, text, className) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  if (className) made.className = className;
  return made;
}

const percent = (p) => `${(100 * p).toFixed(1)} %`;

async function post(path, body, type) {
  stale.abort();
  stale = new AbortController();
  const options = { method: "POST", body, headers: { "content-type": type }, signal: stale.signal };
  const response = await fetch(path, options);
  const text = await response.text();
  let found = null;
  try { found = JSON.parse(text); } catch { /* what is no JSON is told below */ }
  if (!response.ok || !found) throw new Error((found && found.detail) || `${response.status}: ${text.slice(0, 200)}`);
  return found;
}

function tell(problem) {
  $("problem").hidden = !problem;
  $("problem").textContent = problem || "";
}

async function attempt(work) {
  try {
    await work();
    tell("");
  } catch (error) {
    if (error.name !== "AbortError") tell(error.message);
  }
}

async function explain() {
  const question = { ...asked, faithfulness: true };
  if (!$("own").checked) question.sparsity = Number($("share").value) / 100;
  answer = await post("/explain", JSON.stringify(question), "application/json");
  show();
}

// The tokens with what stands before each; token lists have blanks there, pairs a line's end.
function* parts() {
  const second = answer.second === undefined ? answer.tokens.length : answer.second;
  yield* partsOf(answer.text, 0, second);
  if (second < answer.tokens.length) {
    yield ["\n", "", 0];
    yield* partsOf(answer.second_text, second, answer.tokens.length);
  }
}

function* partsOf(text, first, end) {
  let place = 0;
  for (let index = first; index < end; index += 1) {
    const token = answer.tokens[index];
    const start = text === undefined ? -1 : text.indexOf(token, place);
    const gap = start < 0 ? (index > first ? " " : "") : text.slice(place, start);
    yield [gap, token, answer.mask[index]];
    if (start >= 0) place = start + token.length;
  }
  if (text !== undefined) yield [text.slice(place), "", 0];
}

function showWords() {
  const view = document.querySelector("input[name=view]:checked").value;
  const shown = document.createDocumentFragment();
  let run = null; // neighbours share one mark
  for (const [gap, token, selected] of parts()) {
    const away = (view === "rationale" && !selected) || (view === "rest" && selected);
    const kind = selected ? "mark" : "span";
    if (run && run.dataset.kind === kind) {
      run.append(gap + token);
      continue;
    }
    shown.append(gap);
    run = element(kind, token, away ? "away" : "");
    run.dataset.kind = kind;
    shown.append(run);
  }
  $("words").replaceChildren(shown);
}

function showPredictions() {
  const found = answer.faithfulness;
  const head = element("tr");
  head.append(element("td"), ...about.labels.map((label) => element("th", label)));
  $("classes").replaceChildren(head);
  const rows = Object.entries(VIEWS).map(([view, name]) => {
    const row = element("tr", undefined, view === about.predicts_from ? "used" : "");
    row.dataset.view = view;
    row.append(element("th", name));
    for (const label of about.labels) {
      const cell = element("td"), meter = element("meter");
      meter.value = found[view][label];
      cell.append(meter, percent(found[view][label]));
      row.append(cell);
    }
    return row;
  });
  $("predictions").replaceChildren(...rows);
  $("comprehensiveness").textContent = found.comprehensiveness.toFixed(3);
  $("sufficiency").textContent = found.sufficiency.toFixed(3);
}

function show() {
  $("result").hidden = false;
  $("label").textContent = `${answer.label} (${percent(answer.probabilities[answer.label])})`;
  const unread = answer.unread ? `The last ${answer.unread} tokens are more than the model reads.` : "";
  $("note").textContent = unread;
  const count = answer.mask.reduce((sum, selected) => sum + selected, 0);
  if ($("own").checked) $("share").value = Math.round(100 * answer.sparsity);
  $("selected").textContent = `${count} of ${answer.tokens.length} tokens, ${percent(answer.sparsity)}`;
  showWords();
  showPredictions();
}

async function explainFile(file) {
  const { rows } = await post("/explain/rows", file, "application/x-ndjson");
  $("rows").hidden = false;
  $("count").textContent = `${rows.length} rows.`;
  URL.revokeObjectURL($("download").href);
  const lines = rows.map((row) => JSON.stringify(row) + "\n");
  $("download").href = URL.createObjectURL(new Blob(lines, { type: "application/x-ndjson" }));
  $("list").replaceChildren(...rows.map(listed));
}

function listed(row) {
  const item = element("li"), open = element("button", "Open");
  open.type = "button";
  open.addEventListener("click", () => {
    const second = row.second === undefined ? row.tokens.length : row.second;
    const [one, two] = [row.tokens.slice(0, second), row.tokens.slice(second)];
    asked = row.text === undefined ? { tokens: one } : { text: row.text };
    if (two.length) asked.second = row.second_text === undefined ? two.join(" ") : row.second_text;
    $("text").value = row.text === undefined ? one.join(" ") : row.text;
    $("second").value = asked.second || "";
    attempt(explain);
  });
  const words = row.spans.map(([start, end]) => row.tokens.slice(start, end).join(" "));
  const said = `${row.label} (${percent(row.probabilities[row.label])})`;
  item.append(open, ` ${row.id}: `, element("b", said), " ", element("q", words.join(" … ")));
  return item;
}

$("form").addEventListener("submit", (event) => {
  event.preventDefault();
  asked = { text: $("text").value };
  if ($("second").value.trim()) asked.second = $("second").value;
  attempt(explain);
});
$("file").addEventListener("change", () => {
  const [file] = $("file").files;
  if (file) attempt(() => explainFile(file));
});
$("own").addEventListener("change", () => attempt(explain));
$("share").addEventListener("input", () => {
  $("own").checked = false;
  clearTimeout(timer);
  timer = setTimeout(() => attempt(explain), WAIT);
});
for (const view of document.querySelectorAll("input[name=view]")) {
  view.addEventListener("change", showWords);
}
attempt(async () => {
  about = await (await fetch("/about")).json();
  const from = about.predicts_from === "whole"
    ? "predicts from the whole text; the rationale explains that"
    : "predicts from the rationale alone";
  $("about").textContent = `${about.method}, ${about.checkpoint}: ${from}.`;
});
