"use strict";
// Texts are put into the page as text nodes alone, so none of them can be markup or a script.

const $ = (id) => document.getElementById(id);
const VIEWS = { whole: "the whole text", rationale: "the rationale alone", rest: "the text without it" };
const WAIT = 60; // ms between the slider's last move and the question
let about = null;
let answer = null;
let asked = null; // what is in question: tokens or text, with a second text or choices
let reason = null; // of a question: the answer whose reasons are shown; null: the predicted one
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
  reason ??= about.labels.indexOf(answer.label);
  show();
}

const chosen = () => (answer.choices ? answer.choices[reason] : answer);

// The tokens with what stands before each; token lists have blanks there, pairs a line's end.
function* parts() {
  const { tokens, second = tokens.length } = answer, { mask } = chosen();
  yield* partsOf(tokens.slice(0, second), mask, answer.text);
  if (second < tokens.length) {
    yield ["\n", "", 0];
    yield* partsOf(tokens.slice(second), mask.slice(second), answer.second_text);
  }
  if (answer.choices) {
    yield ["\n", "", 0];
    yield* partsOf(chosen().tokens, chosen().answer_mask);
  }
}

function* partsOf(tokens, mask, text) {
  let place = 0;
  for (const [index, token] of tokens.entries()) {
    const start = text === undefined ? -1 : text.indexOf(token, place);
    const gap = start < 0 ? (index > 0 ? " " : "") : text.slice(place, start);
    yield [gap, token, mask[index]];
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
  const mask = [...chosen().mask, ...(chosen().answer_mask || [])];
  const count = mask.reduce((sum, selected) => sum + selected, 0);
  $("selected").textContent = `${count} of ${mask.length} tokens, ${percent(count / mask.length)}`;
}

function showPredictions() {
  const found = answer.faithfulness;
  const head = element("tr");
  head.append(element("td"), ...about.labels.map((label) => element("th", named(label))));
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
  $("label").textContent = `${named(answer.label)} (${percent(answer.probabilities[answer.label])})`;
  const unread = answer.unread ? `The last ${answer.unread} tokens are more than the model reads.` : "";
  $("note").textContent = unread;
  if ($("own").checked) $("share").value = Math.round(100 * answer.sparsity);
  showAnswers();
  showWords();
  showPredictions();
}

// A question's labels are places: its answers are what they name.
function named(label, found = answer) {
  if (!found.choices) return label;
  return `${label}: ${found.choices[about.labels.indexOf(label)].tokens.join(" ")}`;
}

function showAnswers() {
  $("answers").hidden = !answer.choices;
  const options = about.labels.map((label, index) => {
    const option = element("label"), radio = element("input");
    Object.assign(radio, { type: "radio", name: "reason", checked: index === reason });
    radio.addEventListener("change", () => { reason = index; showWords(); });
    option.append(radio, ` ${named(label)} (${percent(answer.probabilities[label])})`);
    return option;
  });
  $("answers").replaceChildren($("answers").firstElementChild, ...options);
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
    [asked, reason] = [questionOf(row), null];
    $("text").value = asked.text === undefined ? asked.tokens.join(" ") : asked.text;
    $("second").value = asked.second || "";
    for (const [index, input] of choiceInputs().entries())
      input.value = asked.choices[index].join(" ");
    attempt(explain);
  });
  const words = row.spans.map(([start, end]) => row.tokens.slice(start, end).join(" "));
  const said = `${named(row.label, row)} (${percent(row.probabilities[row.label])})`;
  item.append(open, ` ${row.id}: `, element("b", said), " ", element("q", words.join(" … ")));
  return item;
}

function questionOf(row) {
  const { tokens, second = tokens.length, choices } = row;
  const found = row.text === undefined ? { tokens: tokens.slice(0, second) } : { text: row.text };
  const other = row.second_text === undefined ? tokens.slice(second).join(" ") : row.second_text;
  if (other) found.second = other;
  if (choices) found.choices = choices.map((choice) => choice.tokens);
  return found;
}

const choiceInputs = () => [...$("choices").querySelectorAll("input")];

$("form").addEventListener("submit", (event) => {
  event.preventDefault();
  [asked, reason] = [{ text: $("text").value }, null];
  if ($("second").value.trim()) asked.second = $("second").value;
  if (about.choices > 1) asked.choices = choiceInputs().map((input) => input.value);
  attempt(explain);
});
$("form").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) $("form").requestSubmit();
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

function askForChoices() {
  $("text-label").textContent = "Question";
  $("text").placeholder = "Type or paste a question";
  $("pair").hidden = true;
  $("choices").hidden = false;
  $("choices").append(...about.labels.map((label) => {
    const line = element("label", `${label} `);
    line.append(Object.assign(element("input"), { type: "text" }));
    return line;
  }));
}

attempt(async () => {
  about = await (await fetch("/about")).json();
  const from = about.predicts_from === "whole"
    ? "predicts from the whole text; the rationale explains that"
    : "predicts from the rationale alone";
  if (about.choices > 1) askForChoices();
  $("about").textContent = `${about.method}, ${about.checkpoint}: ${from}.`;
});
