// What was run: recipe, what differs from its base, versions, data, hours; results by split.

function overviewSection() {
  const several = report.runs.length > 1;
  const section = h("section", { id: "overview" }, h("h2", {}, "What was run"));
  if (several) section.append(sideBySide());
  for (const run of report.runs) section.append(runFacts(run, several));
  const results = report.runs.filter((run) => Object.keys(run.summary).length);
  if (results.length) section.append(resultTable(results));
  if (report.notes.length) {
    section.append(h("details", { open: report.notes.length < 4 },
      h("summary", {}, `Left out of this page (${report.notes.length})`),
      h("ul", {}, report.notes.map((note) => h("li", {}, visible(note))))));
  }
  return section;
}

function sideBySide() {
  const names = [...new Set(report.runs.flatMap((run) => Object.keys(run.fields)))];
  const rows = names.map((name) => [visible(name), ...report.runs.map((run) => brief(run.fields[name] ?? "–", 200))]);
  const differ = rows.filter(([, ...values]) => new Set(values).size > 1);
  if (!differ.length) return h("p", {}, "The runs have the same recipe.");
  const table = simpleTable(["field", ...report.runs.map((run) => visible(run.label))], differ,
    "Where the runs differ");
  table.classList.add("facts");
  return table;
}

function runFacts(run, several) {
  const steps = run.metrics.steps;
  const facts = [...run.lines.map(([name, value]) => [name, value])];
  if (steps.length) facts.push(["steps", count(steps[steps.length - 1])]);
  if (run.rollouts.count) facts.push(["rollouts", count(run.rollouts.count)]);
  if (run.hours !== null) facts.push(["time of all steps", duration(run.hours)]);
  const list = h("dl", { class: "facts" }, facts.map(([name, value]) =>
    h("div", {}, h("dt", {}, name), h("dd", {}, visible(value)))));
  const body = [list, differences(run), versions(run)].filter(Boolean);
  if (run.recipe) body.push(h("details", {}, h("summary", {}, "The whole recipe"), h("pre", { tabIndex: 0 }, visible(run.recipe))));
  if (run.problems.length) {
    body.push(h("details", {}, h("summary", {}, "Lines that could not be read"),
      h("ul", {}, run.problems.map((line) => h("li", {}, visible(line))))));
  }
  if (!several) return h("div", {}, body);
  return h("details", { class: "run" }, h("summary", {}, visible(run.label)), body);
}

function duration(hours) {
  if (hours < 1 / 60) return `${num(hours * 3600, 0)} seconds`;
  return hours < 1 ? `${num(hours * 60, 1)} minutes` : `${num(hours, 1)} hours`;
}

function differences(run) {
  if (!run.base) return null;
  if (!run.differences.length) return h("p", {}, "Nothing differs from the recipe ", h("code", {}, visible(run.base)), ".");
  const rows = run.differences.map((row) => row.map((text) => brief(text, 300)));
  const table = simpleTable(["field", "there", "here"], rows, `What differs from ${visible(run.base)}`);
  table.classList.add("facts");
  return h("div", {}, table, run.changes.map((change) =>
    h("p", {}, `From step ${change.after_step} on, resumed with: ${brief(JSON.stringify(change.changed), 400)}`)));
}

function versions(run) {
  const entries = Object.entries(run.environment);
  if (!entries.length) return null;
  return h("details", {},
    h("summary", {}, "Versions and devices"),
    h("dl", { class: "facts" }, entries.map(([name, value]) =>
      h("div", {}, h("dt", {}, name), h("dd", {}, visible(value))))),
    run.arguments.length
      ? h("p", {}, "Started with ", h("code", {}, visible(`noisygrpo ${run.arguments.join(" ")}`))) : null);
}

function resultTable(runs) {
  const rows = runs.flatMap((run) => Object.entries(run.summary).map(([split, entry]) => {
    const change = entry.difference;
    const text = change ? interval(change) : points(entry.after.accuracy - entry.before.accuracy);
    const p = change ? (change.p_value < 0.001 ? "< 0.001" : num(change.p_value, 3)) : "–";
    const best = entry.best ? `${percent(entry.best.accuracy, entry.best.stderr)} at step ${entry.best.step}` : null;
    return [
      runs.length > 1 ? `${visible(run.label)} · ${visible(split)}` : visible(split), String(entry.after.n),
      percent(entry.before.accuracy, entry.before.stderr),
      percent(entry.after.accuracy, entry.after.stderr), text, p, best ?? "–",
    ];
  }));
  const anyBest = rows.some((row) => row[6] !== "–");
  const head = ["split", "rows", "before", "after", "change [95 %]", "p", ...(anyBest ? ["best while training"] : [])];
  return h("div", {},
    h("h3", {}, "Results"),
    simpleTable(head, rows.map((row) => row.slice(0, head.length)), "Accuracy in percent ± one standard error"));
}
