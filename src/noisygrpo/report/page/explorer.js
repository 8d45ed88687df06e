// The rollout explorer: any step and prompt, the group side by side, and a list to find rollouts in.

const explorer = { all: null, place: 0, list: null, asked: 0, parts: null, ...firstDrawn() };

function explorerSection() {
  const runs = report.runs.map((run, number) => [String(number), brief(run.label, 60)]).filter(([number]) => report.runs[number].rollouts.count);
  if (!runs.length) return null;
  const place = h("div", { class: "bar" });
  const filters = h("div", { class: "bar" });
  const status = h("p", { class: "hint", role: "status" });
  const group = h("div", { class: "detail", "aria-live": "polite" });
  explorer.list = listTable({
    head: report.look ? ["rollout", "level", "tokens"] : ["rollout", "level", "reward", "advantage", "tokens"], label: "Rollouts that were found",
    cells: rolloutCells, onchoose: (n) => showRollout(explorer.all, n), isChosen: (n) => n === explorer.place,
  });
  explorer.parts = { place, filters, status, group, runs };
  address.listeners.push(debounced(followAddress, 10));
  return h("section", { id: "rollouts" }, h("h2", {}, report.look ? "What each rollout sees" : "Rollouts"), place,
    h("div", { class: "explorer" },
      h("aside", { "aria-label": "Find rollouts" }, filters, status, explorer.list.element), group));
}

function rolloutCells(n) {
  const all = explorer.all;
  const right = all.right(n);
  if (report.look) return [`${all.step[n]} · ${brief(all.examples[all.example[n]], 30)} · ${all.index[n]}`, plain(all.level[n]), count(all.tokens[n])];
  const sign = all.unscorable[n] ? "?" : right === null ? "" : right ? "✓" : "✗";
  return [`${all.step[n]} · ${brief(all.examples[all.example[n]], 22)} · ${all.index[n]} ${sign}`,
    plain(all.level[n]), num(all.reward[n]), signed(all.advantage[n] ?? 0), count(all.tokens[n])];
}

/** Show a rollout: its group, with it marked. */
function showRollout(all, place, options = {}) {
  if (explorer.all === all) explorer.place = place; // at once: keys may come faster than pictures
  address.set("rollouts", {
    run: all.number || null, step: all.step[place], example: all.examples[all.example[place]], rollout: all.index[place],
  }, options);
}

/** Show the rollouts of the step nearest to a place on a chart's axis. */
async function openStep(value) {
  const number = Number(address.get("run", firstRun()));
  const all = await rolloutsOf(Number.isInteger(number) && report.runs[number]?.rollouts.count ? number : firstRun());
  if (!all) return;
  const step = nearest(all.steps, value);
  showRollout(all, all.step.indexOf(step), { push: true });
  document.getElementById("rollouts").scrollIntoView();
}

function firstRun() {
  return report.runs.findIndex((run) => run.rollouts.count);
}

function nearest(steps, value) {
  return steps.reduce((best, step) => (Math.abs(step - value) < Math.abs(best - value) ? step : best), steps[0]);
}

/** The rollout that the address names, or the nearest to it. */
function placeFromAddress(all) {
  const step = address.get("step") === "" ? all.steps[0] : nearest(all.steps, Number(address.get("step")) || 0);
  const example = all.examples.indexOf(address.get("example"));
  let group = all.groups.findIndex((first) => all.step[first] === step && (example < 0 || all.example[first] === example));
  if (group < 0) group = all.groups.findIndex((first) => all.step[first] === step);
  const index = Number(address.get("rollout", "0"));
  return all.members(group).find((n) => all.index[n] === index) ?? all.groups[group];
}

async function followAddress(section) {
  if (section && section !== "rollouts" && explorer.all) return;
  const mine = ++explorer.asked;
  const asked = Number(address.get("run", firstRun()));
  const all = await rolloutsOf(report.runs[asked]?.rollouts.count ? asked : firstRun());
  if (mine !== explorer.asked) return;
  if (explorer.all !== all) explorer.shown = null;
  explorer.all = all;
  explorer.place = placeFromAddress(all);
  drawPlace(all);
  await Promise.all([drawGroup(all, mine), drawList(all, mine)]);
  explorer.tell();
}

async function drawGroup(all, mine) {
  const view = await groupView(all, all.groupOf[explorer.place], explorer.place);
  if (mine === explorer.asked) fill(explorer.parts.group, view);
}

function stepTo(all, direction) {
  const group = all.groupOf[explorer.place];
  const step = all.steps[Math.max(0, Math.min(all.steps.length - 1, all.steps.indexOf(all.step[explorer.place]) + direction))];
  const order = group - all.groupOf[all.step.indexOf(all.step[explorer.place])];
  const groups = stepGroups(all, step);
  showRollout(all, all.groups[groups[Math.min(order, groups.length - 1)]]);
}

function stepGroups(all, step) {
  return all.groups.map((first, n) => [first, n]).filter(([first]) => all.step[first] === step).map(([, n]) => n);
}

function groupTo(all, direction) {
  const group = Math.max(0, Math.min(all.groups.length - 1, all.groupOf[explorer.place] + direction));
  showRollout(all, all.groups[group]);
}

/** Run, step and prompt. Drawn once per run, then only set, so that the focus stays where it is. */
function drawPlace(all) {
  const step = all.step[explorer.place];
  const parts = explorer.parts;
  if (explorer.shown !== all) {
    explorer.shown = all;
    const go = (text, label, act) => h("button", { type: "button", "aria-label": label, title: label, onclick: act }, text);
    parts.step = h("input", { type: "number", min: all.steps[0], max: all.steps[all.steps.length - 1], step: 1, id: "step",
      onchange: () => { const near = nearest(all.steps, Number(parts.step.value)); showRollout(all, all.step.indexOf(near)); } });
    parts.slider = h("input", { type: "range", min: 0, max: all.steps.length - 1, step: 1, "aria-label": "Step, as a slider",
      oninput: () => showRollout(all, all.step.indexOf(all.steps[Number(parts.slider.value)])) });
    parts.prompt = h("select", { id: "prompt", onchange: () => showRollout(all, all.groups[Number(parts.prompt.value)]) });
    fill(parts.place,
      parts.runs.length > 1 ? choice("Run", parts.runs, String(all.number), (run) => address.set("rollouts", { run: run === "0" ? null : run, example: null, rollout: null })) : null,
      field("Step", h("span", { class: "together" }, go("‹", "Step before ([)", () => stepTo(all, -1)), parts.step, go("›", "Step after (])", () => stepTo(all, 1)))),
      parts.slider,
      field("Prompt", h("span", { class: "together" }, go("‹", "Prompt before (k)", () => groupTo(all, -1)), parts.prompt, go("›", "Prompt after (j)", () => groupTo(all, 1)))));
    drawFilters(all);
  }
  parts.step.value = String(step);
  parts.slider.value = String(all.steps.indexOf(step));
  fill(parts.prompt, stepGroups(all, step).map((group) => h("option", { value: String(group) }, brief(all.examples[all.example[all.groups[group]]], 40))));
  parts.prompt.value = String(all.groupOf[explorer.place]);
}

function drawFilters(all) {
  const set = (name, none) => (value) => address.set("rollouts", { [name]: value === none ? null : value });
  const levels = [...new Set(all.level)].sort((a, b) => a - b);
  const search = h("input", { type: "search", id: "search", placeholder: "in prompts and completions", value: address.get("text"),
    oninput: debounced(() => set("text", "")(search.value), 350) });
  fill(explorer.parts.filters,
    report.look ? null : choice("Show", usefulFilters(all), address.get("filter", "all"), set("filter", "all")),
    levels.length > 1 && levels.length <= 40 ? choice("Level", [["", "any"], ...levels.map((level) => [String(level), plain(level)])], address.get("level"), set("level", "")) : null,
    choice("Steps", [["this", "this one"], ["all", "all"]], address.get("steps", "this"), set("steps", "this")),
    report.look ? null : choice("Sort by", Object.entries(SORTS).map(([name, [text]]) => [name, text]), address.get("sort", "step"), set("sort", "step")),
    field("Text", search));
}

async function drawList(all, mine) {
  const asked = {
    filter: address.get("filter", "all"), level: address.get("level"), text: address.get("text"), sort: address.get("sort", "step"),
    step: address.get("steps", "this") === "all" ? null : all.step[explorer.place],
  };
  const key = JSON.stringify([all.number, asked]);
  if (key === explorer.key) return explorer.list.mark();
  const say = (text) => { explorer.parts.status.textContent = text; };
  const found = await findRollouts(all, asked, () => mine === explorer.asked, (share) => say(`searching … ${num(100 * share, 0)} %`));
  if (found === null) return;
  explorer.key = key;
  const partly = asked.text && all.kept.size < all.run.rollouts.chunks.length ? " (texts of some steps are left out)" : "";
  say(found.length === 1 ? `1 rollout${partly}` : `${count(found.length)} rollouts${partly}`);
  explorer.list.show(found);
}
