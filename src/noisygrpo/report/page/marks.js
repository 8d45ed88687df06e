// A completion with its thinking, its answer and its hint marked, or each token by what it saw.

const THINK = /<(think|thinking|thought|reasoning)>([\s\S]*?)(?:<\/\1>|$)/gi;
const ANSWER = /<answer>([\s\S]*?)(?:<\/answer>|$)|\\boxed\{[^{}]*\}/gi;

/** [start, end, class] of the parts of a text that are marked; they do not overlap. */
function markedParts(text, hint) {
  const parts = [];
  const add = (start, end, name) => {
    if (end > start && parts.every(([from, to]) => end <= from || start >= to)) parts.push([start, end, name]);
  };
  if (hint && text.startsWith(hint)) add(0, hint.length, "hinted");
  for (const match of text.matchAll(ANSWER)) add(match.index, match.index + match[0].length, "answer");
  for (const match of text.matchAll(THINK)) {
    let start = match.index;
    const end = start + match[0].length;
    for (const [from, to] of parts.filter(([from]) => from >= start && from < end).sort((a, b) => a[0] - b[0])) {
      add(start, from, "think");
      start = to;
    }
    add(start, end, "think");
  }
  return parts.sort((a, b) => a[0] - b[0]);
}

/** The text as nodes. */
function marked(text, hint) {
  const nodes = [];
  let place = 0;
  for (const [start, end, name] of markedParts(text, hint)) {
    if (start > place) nodes.push(visible(text.slice(place, start)));
    nodes.push(h("span", { class: name }, visible(text.slice(start, end))));
    place = end;
  }
  if (place < text.length) nodes.push(visible(text.slice(place)));
  return nodes;
}

/** The text with each token as deep in colour as its value; `ends` are the tokens' last characters. */
function colored(text, values, ends) {
  const top = Math.max(1e-9, ...values.map((value) => Math.abs(value ?? 0)));
  let place = 0;
  return ends.map((end, token) => {
    const start = place;
    place = end;
    return seenToken(visible(text.slice(start, end)), values[token], top);
  }).concat(visible(text.slice(place)));
}

function seenToken(content, value, top) {
  const depth = Math.min(1, Math.abs(value ?? 0) / top) * 0.42;
  return h("span", { class: "seen", style: `background:rgba(var(--seen),${depth.toFixed(2)})`, title: `visual dependence ${num(value, 3)}` }, content);
}

/** Values without a place in the text: one mark each, in their order. */
function strip(values) {
  const top = Math.max(1e-9, ...values.map((value) => Math.abs(value ?? 0)));
  return h("div", { class: "strip" }, values.slice(0, 2000).map((value) => seenToken("\u2009\u2009", value, top)));
}

/** The completion of a rollout as a box. */
function completionBox(texts, bySeen) {
  const box = h("div", { class: "completion", dir: "auto", tabIndex: 0, role: "region", "aria-label": "completion" });
  if (!texts) return fill(box, h("span", { class: "hint" }, "This page leaves its text out."));
  const text = texts.completion;
  if (bySeen && texts.seen) {
    return texts.ends ? fill(box, colored(text, texts.seen, texts.ends)) : fill(box, strip(texts.seen), marked(text, texts.hint));
  }
  if (texts.turns && texts.turns.length > 1) {
    return fill(box, texts.turns.map((turn) => h("p", {}, h("b", {}, visible(turn.role)), " ", visible(turn.text))));
  }
  fill(box, marked(text, texts.hint));
  if (texts.hint && !text.startsWith(texts.hint)) box.prepend(h("p", { class: "hinted" }, visible(texts.hint)));
  if (!text) box.append(h("span", { class: "hint" }, "(empty)"));
  return box;
}
