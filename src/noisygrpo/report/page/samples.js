// Evaluations: every sample with its verdicts, those on which models differ, and by kind.

const samples = { asked: 0, open: false, ...firstDrawn() };

function samplesSection() {
  if (!report.evaluations.length) return null;
  const head = h("div", {});
  const filters = h("div", { class: "bar" });
  const status = h("p", { class: "hint", role: "status" });
  const list = h("div", {});
  const detail = h("div", { class: "detail", "aria-live": "polite" });
  samples.parts = { head, filters, status, list, detail };
  address.listeners.push(debounced(followSamples, 10));
  return h("section", { id: "samples" }, h("h2", {}, "Evaluated samples"), comparisonTables(), filters, head,
    h("div", { class: "explorer" }, h("aside", { "aria-label": "Find samples" }, status, list), detail));
}

const SAMPLE_FILTERS = {
  all: ["all", () => true],
  differ: ["verdicts differ", (row) => new Set(row.filter((v) => v !== null)).size > 1],
  gained: ["first wrong, last right", (row) => row[0] < row[row.length - 1]],
  lost: ["first right, last wrong", (row) => row[0] > row[row.length - 1]],
  right: ["all right", (row) => row.every((v) => v === 1)],
  wrong: ["all wrong", (row) => row.every((v) => v === 0)],
  none: ["without an answer", (row, flags) => flags.none],
  cut: ["cut off", (row, flags) => flags.cut],
  failed: ["failed", (row, flags) => flags.failed],
};

async function followSamples(section) {
  if (section && section !== "samples" && samples.task) return;
  const mine = ++samples.asked;
  const number = Math.min(report.evaluations.length - 1, Number(address.get("task", "0")) || 0);
  const task = report.evaluations[number];
  const sets = chosenSets(task);
  const [rows, ...columns] = await Promise.all([store.get(`task/${number}`), ...sets.map((n) => store.get(`verdicts/${number}/${n}`))]);
  if (mine !== samples.asked) return;
  Object.assign(samples, { number, task, sets, rows, columns });
  drawSampleFilters();
  drawSampleHead();
  await drawSampleList(mine);
  const at = Math.max(0, rows.ids.indexOf(address.get("sample", rows.ids[samples.found?.[0] ?? 0])));
  samples.place = at;
  samples.list.mark();
  const view = await sampleView(at);
  if (mine === samples.asked) fill(samples.parts.detail, view);
  samples.tell();
}

/** The sets whose verdicts stand side by side: those of the address, else before and after, or the last of each run. */
function chosenSets(task) {
  const all = task.sets.map((_, n) => n);
  const given = address.get("sets").split(",").filter((text) => text !== "").map(Number).filter((n) => n in task.sets);
  if (given.length) return given;
  if (all.length <= 3) return all;
  const runs = [...new Set(task.sets.map((set) => set.run))];
  if (runs.length > 1) return runs.map((run) => all.filter((n) => task.sets[n].run === run).pop());
  return [all[0], all[all.length - 1]];
}

function drawSampleFilters() {
  const { task, number, sets, columns } = samples;
  const key = JSON.stringify([number, sets]);
  if (samples.key === key) return;
  samples.key = key;
  const set = (name, none) => (value) => address.set("samples", { [name]: value === none ? null : value });
  const useful = Object.entries(SAMPLE_FILTERS).filter(([name, [, test]]) =>
    name === "all" || samples.rows.ids.some((_, n) => test(verdictRow(n), flagsOf(n)))).map(([name, [text]]) => [name, text]);
  const search = h("input", { type: "search", id: "sample-search", placeholder: "in questions and answers", value: address.get("find"),
    oninput: debounced(() => set("find", "")(search.value), 350) });
  const boxes = task.sets.length > 2 ? h("details", { class: "sets", open: samples.open }, h("summary", {}, `Side by side: ${sets.length} of ${task.sets.length}`), h("div", {}, task.sets.map((one, n) =>
    h("label", {}, h("input", { type: "checkbox", checked: sets.includes(n), onchange: (event) => {
      const next = event.target.checked ? [...sets, n].sort((a, b) => a - b) : sets.filter((other) => other !== n);
      if (next.length) address.set("samples", { sets: next.join(",") });
      else event.target.checked = true;
    } }), brief(one.name, 50))))) : null;
  boxes?.addEventListener("toggle", () => { samples.open = boxes.open; });
  const tasks = report.evaluations.map((one, n) => [String(n), brief(one.name, 60)]);
  fill(samples.parts.filters,
    tasks.length > 1 ? choice("Task", tasks, String(number), (value) => address.set("samples", { task: value, sets: null, sample: null })) : null,
    choice("Show", useful, address.get("which", "all"), set("which", "all")), field("Text", search), boxes);
}

function verdictRow(n) {
  return samples.columns.map((column) => column.score[n]);
}

function flagsOf(n) {
  return Object.fromEntries(["none", "cut", "failed"].map((name) => [name, samples.columns.some((column) => column[name][n])]));
}

/** Accuracy of the sets, and by kind of question. */
function drawSampleHead() {
  const { task, sets } = samples;
  const chosen = sets.map((n) => task.sets[n]);
  const kinds = [...new Set(chosen.flatMap((set) => Object.keys(set.by_kind)))];
  const rows = [["all", ...chosen.map((set) => `${percent(set.accuracy, set.stderr)}${set.finished ? "" : " (unfinished)"}`)],
    ...(kinds.length > 1 ? kinds.map((kind) => [visible(kind), ...chosen.map((set) => {
      const [accuracy, stderr] = set.by_kind[kind] ?? [null, null];
      return percent(accuracy, stderr);
    })]) : [])];
  fill(samples.parts.head, simpleTable(["kind", ...chosen.map(setName)], rows,
    `${visible(task.name)}: ${count(task.count)} samples, accuracy in percent ± one standard error`));
}

async function drawSampleList(mine) {
  const { task, sets, rows, number } = samples;
  const [, test] = SAMPLE_FILTERS[address.get("which", "all")] ?? SAMPLE_FILTERS.all;
  const text = address.get("find").toLowerCase();
  const said = text ? await Promise.all(sets.map((n) => store.get(`said/${number}/${n}`))) : [];
  if (mine !== samples.asked) return;
  samples.found = rows.ids.map((_, n) => n).filter((n) => test(verdictRow(n), flagsOf(n)) && (!text ||
    `${rows.ids[n]} ${rows.question[n]} ${rows.answer[n]}`.toLowerCase().includes(text) ||
    said.some((one) => one?.output[n].toLowerCase().includes(text))));
  const list = listTable({
    head: ["sample", ...sets.map((n) => setHead(task.sets[n]))], label: "Samples that were found",
    cells: (n) => [brief(rows.question[n] || rows.ids[n], 34), ...samples.columns.map((column) => verdictSign(column.score[n]))],
    onchoose: (n) => address.set("samples", { sample: rows.ids[n] }), isChosen: (n) => n === samples.place,
  });
  samples.list = list;
  samples.parts.status.textContent = `${count(samples.found.length)} of ${count(rows.ids.length)} samples`;
  const top = samples.parts.list.firstChild?.scrollTop ?? 0;
  fill(samples.parts.list, list.element);
  list.show(samples.found);
  list.element.scrollTop = top;
}

/** What a column is called: by what tells the sets apart. */
function setHead(set) {
  const shown = samples.sets.map((n) => samples.task.sets[n]);
  const oneMoment = new Set(shown.map((one) => one.moment)).size === 1;
  if (shown.length > 2) return String(shown.indexOf(set) + 1);
  return brief(report.runs.length > 1 && oneMoment ? set.run : set.moment || set.name, 12);
}

/** A set's name, with the number of its column where columns have numbers. */
function setName(set) {
  const place = samples.sets.findIndex((n) => samples.task.sets[n] === set);
  return samples.sets.length > 2 ? `${place + 1} · ${visible(set.name)}` : visible(set.name);
}

function verdictSign(score) {
  if (score === null) return "–";
  if (score === 1) return h("span", { class: "right" }, "✓");
  return score === 0 ? h("span", { class: "wrong" }, "✗") : num(score);
}
