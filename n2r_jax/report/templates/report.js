"use strict";
// Everything that comes from data goes into the page as text (textContent), never as HTML.
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const { labels, runs, examples } = data;
  const STEP = 40; // texts drawn at a time, as the reader comes near the end
  const form = document.getElementById("filters");
  const list = document.getElementById("list");
  const count = document.getElementById("count");
  let found = [];
  let drawn = 0;
  let searched = null; // what a search looks through, made when it is first needed

  const element = (name, className, text) => {
    const made = document.createElement(name);
    if (className) made.className = className;
    if (text !== undefined) made.textContent = text;
    return made;
  };
  const asTokens = (text) => (Array.isArray(text) ? text : text.split(" "));
  const tokensOf = (example) => asTokens(example.tokens);
  const percent = (value) => `${(100 * value).toFixed(1)} %`;

  // ---- texts
  const SELECTED = 1, MARKED = 2, UNREAD = 4;
  const ALOUD = { 1: "selected", 2: "marked by a human", 3: "selected and marked by a human" };

  // States by their spans, of so many tokens.
  function statesOf(size, ...marks) {
    const states = new Uint8Array(size);
    for (const [spans, state] of marks)
      for (let i = 0; i < spans.length; i += 2)
        for (let place = spans[i]; place < spans[i + 1]; place++) states[place] |= state;
    return states;
  }

  function segment(text, state) {
    if (!state) return document.createTextNode(text);
    const parts = [];
    if (state & UNREAD) parts.push(element("span", "unread"));
    if (state & SELECTED) parts.push(element("mark"));
    if (state & MARKED) parts.push(element("u"));
    const [outer] = parts;
    const inner = parts.reduce((parent, child) => (parent.append(child), child));
    const aloud = [ALOUD[state & 3], state & UNREAD ? "not read" : ""].filter(Boolean).join(", ");
    inner.append(element("span", "aloud", `[${aloud}: `), text, element("span", "aloud", "]"));
    return outer;
  }

  function appendTokens(parent, tokens, states, second) {
    for (let start = 0, end; start < tokens.length; start = end) {
      const goesOn = (place) => states[place] === states[start] && place !== second;
      for (end = start + 1; end < tokens.length && goesOn(end); ) end++;
      if (start) parent.append(start === second ? element("br") : " ");
      parent.append(segment(tokens.slice(start, end).join(" "), states[start]));
    }
    return parent;
  }

  function marksOf(example, run) {
    return [[run.mask, SELECTED], [example.gold || [], MARKED], [run.unread || [], UNREAD]];
  }

  function drawText(example, run) {
    const tokens = tokensOf(example);
    const states = statesOf(tokens.length, ...marksOf(example, run));
    const paragraph = appendTokens(element("p", "text"), tokens, states, example.second);
    if (example.unread)
      paragraph.append(element("span", "", ` … ${example.unread} more tokens, read by no run`));
    return paragraph;
  }

  // ---- graphs: selected nodes are filled, marked ones have a ring, so greys tell them apart too
  const SIZE = 300, MARGIN = 24;

  function shape(name, attributes, text) {
    const made = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    if (text !== undefined) made.textContent = text;
    return made;
  }

  function described(example, states) {
    const of = (state) => [...states.keys()].filter((node) => states[node] & state).join(", ");
    const gold = example.gold === undefined ? "" : `; marked by a human: ${of(MARKED) || "none"}`;
    return `Graph of ${states.length} nodes; selected: ${of(SELECTED) || "none"}${gold}`;
  }

  function drawGraph(example, run) {
    const tokens = tokensOf(example);
    const states = statesOf(tokens.length, ...marksOf(example, run));
    const at = (node, axis) =>
      MARGIN + (example.places[2 * node + axis] / 1000) * (SIZE - 2 * MARGIN);
    const box = `0 0 ${SIZE} ${SIZE}`;
    const svg = shape("svg", { viewBox: box, width: SIZE, height: SIZE, role: "img", class: "graph" });
    svg.append(shape("title", {}, described(example, states)));
    for (let i = 0; i < example.edges.length; i += 2) {
      const [a, b] = [example.edges[i], example.edges[i + 1]];
      const chosen = states[a] & states[b] & SELECTED ? "edge selected" : "edge";
      const ends = { x1: at(a, 0), y1: at(a, 1), x2: at(b, 0), y2: at(b, 1) };
      const loop = { cx: at(a, 0), cy: at(a, 1) - 9, r: 7, fill: "none" };
      svg.append(a === b ? shape("circle", { ...loop, class: chosen })
        : shape("line", { ...ends, class: chosen }));
    }
    const plain = tokens.every((token) => token === tokens[0]); // then numbers say more than types
    tokens.forEach((token, node) => {
      const [cx, cy] = [at(node, 0), at(node, 1)];
      const name = states[node] & SELECTED ? "node selected" : "node";
      if (states[node] & MARKED) svg.append(shape("circle", { cx, cy, r: 13, class: "ring" }));
      const circle = shape("circle", { cx, cy, r: 9, class: name });
      const aloud = ALOUD[states[node] & 3];
      circle.append(shape("title", {}, `${node}: ${token}${aloud ? `, ${aloud}` : ""}`));
      const label = shape("text", { x: cx, y: cy, class: name }, plain ? node : token.slice(0, 3));
      svg.append(circle, label);
    });
    return svg;
  }

  // The answers to a question; the one that is predicted with what is selected of it.
  function drawChoices(example, run) {
    const list = element("ul", "choices");
    list.append(...example.choices.map((text, place) => {
      const tokens = asTokens(text), predicted = place === run.label;
      const states = statesOf(tokens.length, [predicted ? run.answer || [] : [], SELECTED]);
      const item = appendTokens(element("li", "", `${labels[place]}: `), tokens, states);
      const said = [predicted && "predicted", place === example.label && "true"].filter(Boolean);
      if (said.length) item.append(element("b", "", ` (${said.join(", ")})`));
      return item;
    }));
    return list;
  }

  function drawRun(example, run, place) {
    const right = run.label === example.label;
    const f1 = run.f1 === undefined ? "" : `, rationale F1 ${percent(run.f1)}`;
    const panel = element("div", right ? "right" : "wrong");
    const heading = element("h4", "", `${runs[place]}: ${labels[run.label]} (${percent(run.probability)}), `);
    heading.append(element("b", "", right ? "right" : "wrong"), f1);
    panel.append(heading, (example.places ? drawGraph : drawText)(example, run));
    if (example.choices) panel.append(drawChoices(example, run));
    return panel;
  }

  function drawExample(example) {
    const article = element("article");
    article.append(element("h3", "", `${example.id} · true label: ${labels[example.label]}`));
    const panels = element("div", "runs");
    panels.append(...example.runs.map((run, place) => drawRun(example, run, place)));
    article.append(panels);
    return article;
  }

  // ---- filters
  function chosen() {
    const of = (name) => form.elements[name].value;
    const share = (name) => (of(name) === "" ? null : Number(of(name)) / 100);
    const index = (name) => (of(name) === "" ? null : Number(of(name)));
    return {
      search: of("search").trim().toLowerCase(), run: Number(of("run")), outcome: of("outcome"),
      label: index("label"), predicted: index("predicted"), low: share("low"), high: share("high"),
      disagree: form.elements.disagree.checked, order: of("order"),
    };
  }

  function passes(example, wanted, index) {
    const run = example.runs[wanted.run];
    const outcome = run.label === example.label ? "right" : "wrong";
    if (wanted.outcome && wanted.outcome !== outcome) return false;
    if (wanted.label !== null && wanted.label !== example.label) return false;
    if (wanted.predicted !== null && wanted.predicted !== run.label) return false;
    if (wanted.low !== null && !(run.f1 >= wanted.low)) return false;
    if (wanted.high !== null && !(run.f1 <= wanted.high)) return false;
    if (wanted.disagree && example.runs.every((other) => other.label === run.label)) return false;
    return !wanted.search || searched[index].includes(wanted.search);
  }

  const ORDERS = {
    worst: (run) => (run.f1 === undefined ? Infinity : run.f1),
    best: (run) => (run.f1 === undefined ? Infinity : -run.f1),
    unsure: (run) => run.probability,
  };

  const searchable = (example) => {
    const texts = [example.tokens, ...(example.choices || [])];
    const joined = texts.map((text) => (Array.isArray(text) ? text.join(" ") : text));
    return [example.id, ...joined].join("\n").toLowerCase();
  };

  function filter() {
    const wanted = chosen();
    if (wanted.search && !searched)
      searched = examples.map(searchable);
    found = examples.filter((example, index) => passes(example, wanted, index));
    const key = ORDERS[wanted.order];
    const before = (a, b) => (a < b ? -1 : a > b ? 1 : 0); // Infinity - Infinity is no number
    if (key) found.sort((a, b) => before(key(a.runs[wanted.run]), key(b.runs[wanted.run])));
    count.textContent = `${found.length} of ${examples.length} texts`;
    list.replaceChildren();
    drawn = 0;
    drawMore();
  }

  function drawMore() {
    list.append(...found.slice(drawn, drawn + STEP).map(drawExample));
    drawn = Math.min(found.length, drawn + STEP);
    // Observed anew: an observer is silent while the end stays in sight.
    observer.unobserve(more);
    if (drawn < found.length) observer.observe(more);
  }

  const more = document.getElementById("more");
  const observer = new IntersectionObserver(
    (entries) => entries.some((entry) => entry.isIntersecting) && drawMore(),
    { rootMargin: "1500px" },
  );
  const options = (name, names) =>
    names.forEach((text, value) => form.elements[name].append(new Option(text, value)));
  options("run", runs);
  options("label", labels);
  options("predicted", labels);
  for (const id of ["run-choice", "disagree-choice"])
    document.getElementById(id).hidden = runs.length < 2;

  let waiting = 0;
  form.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(filter, 60); // a word is typed faster than thousands of texts are searched
  });
  form.addEventListener("reset", () => setTimeout(filter)); // the fields are reset after the event
  form.addEventListener("submit", (event) => event.preventDefault());
  filter();
})();
