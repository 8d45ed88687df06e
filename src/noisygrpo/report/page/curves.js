// Curves over the steps: groups of metrics, several runs laid over each other.

const DASHES = ["solid", "dashed", "dotted", [8, 3, 2, 3], [14, 4], [2, 2, 8, 2]];

/** Panels: title, what it tells, and the metrics in it, by patterns over their names. */
const PANELS = [
  ["Rewards", "Mean of all rollouts, and of each reward function", [/^reward$/, /^rewards\/.*\/mean$/]],
  ["Accuracy on measured rows", "Before, while and after training; bars are one standard error", "evaluations"],
  ["Reward by noise level", "Level 0.0 saw the clean image; levels that are drawn or decay are in tenths, 0.3 are those in (0.2, 0.3]", [/^reward\/level_/]],
  ["Slope of reward over level", "Below 0: the more noise, the less reward", [/slope$/]],
  ["Who decides", "Gain: weight of the prior; shares of groups that the prior drives, or that teach nothing",
    [/^advantage\/gain$/, /^advantage\/prior_driven$/, /^advantage\/zero_groups$/]],
  ["Mean advantage by noise level", "Below 0 a level is pushed away, whatever was said there", [/^advantage\/mean\/level_/]],
  ["Share of the update that levels decide", "", [/^advantage\/level_driven$/, /^advantage\/spared$/]],
  ["Lost rollouts", "Shares that could not be scored, or to which no reward applied",
    [/^advantage\/unscorable$/, /^advantage\/no_reward$/]],
  ["log π(view) − log π(clean) per token", "How far sampler and learner are apart, by level", [/^view_ratio\/token\//]],
  ["What the picture tells", "How much the completions depend on the image", [/visual_dependence|dependence/]],
  ["KL to the reference", "Per token", [/^kl$/]],
  ["Entropy", "Of the next token, mean over completions", [/^entropy$/]],
  ["Length of completions", "Tokens", [/^completions\/(mean|min|max)_length$/]],
  ["Cut off", "Share of completions at the length limit", [/^completions\/clipped_ratio$/]],
  ["Seconds by phase", "Of each step, on top of each other", [/^time\//], { stacked: true }],
  ["Size of the update", "Gradient norm, and the loss, which is no measure of success here", [/^grad_norm$/, /^loss$/]],
  ["Learning rate", "", [/^learning_rate$/]],
  ["Tokens per second", "Completion tokens over the time of the step", [/^tokens_per_second$/]],
  ["Memory", "Peak on the device, GB", [/^memory\//]],
];

let smoothing = 1;

function curvesSection() {
  const withMetrics = report.runs.filter((run) => run.metrics.steps.length);
  if (!withMetrics.length) return null;
  const zero = QUIET.flatMap(matching).filter(isZero);
  const shown = PANELS.map(([title, hint, patterns, more]) =>
    patterns === "evaluations" ? evaluationPanel(title, hint)
      : metricPanel(title, hint, matching(patterns).filter((name) => !zero.includes(name)), more)).filter(Boolean);
  const jump = report.runs.some((run) => run.rollouts.count) ? " A click opens the rollouts of that step." : "";
  return h("section", { id: "curves" },
    h("h2", {}, "Curves"),
    h("p", { class: "hint" }, `Faint: every step. Bold: a local mean. The cursor is the same in all charts.${jump}`),
    h("div", { class: "bar" }, smoothingControl(), runKeys()),
    h("div", { class: "charts" }, shown, otherPanel()),
    zero.length ? h("p", { class: "hint" }, `Zero at every step: ${zero.map(shortName).join(", ")}.`) : null);
}

/** Metrics that deserve a chart only where they are not 0 throughout. */
const QUIET = [[/^advantage\/(unscorable|no_reward)$/], [/^completions\/clipped_ratio$/]];

function isZero(name) {
  return report.runs.every((run) => (run.metrics.columns[name] ?? []).every((value) => !value));
}

function metricNames() {
  return [...new Set(report.runs.flatMap((run) => Object.keys(run.metrics.columns)))];
}

function matching(patterns) {
  return metricNames().filter((name) => patterns.some((pattern) => pattern.test(name)));
}

function smoothingControl() {
  const texts = ["none", "light", "strong", "stronger"];
  const output = h("output", {}, texts[smoothing]);
  const input = h("input", { type: "range", min: 0, max: 3, step: 1, value: String(smoothing), id: "smoothing",
    oninput: () => {
      smoothing = Number(input.value);
      output.textContent = texts[smoothing];
      redrawCharts();
    } });
  return field("Smoothing", h("span", {}, input, " ", output));
}

function smoothWidth(values) {
  return [0, Math.max(1, values.length / 20), Math.max(2, values.length / 10), Math.max(4, values.length / 5)][smoothing];
}

const hiddenRuns = new Set();

/** The runs with their colours, once for all charts. */
function runKeys() {
  const runs = runsWithMetrics();
  if (runs.length < 2) return null;
  return keyList(runs.map(([run, number]) => [runName(run), () => `border-color:${theme.color(number)}`]), hiddenRuns, redrawCharts);
}

function runName(run) {
  return brief(run.label, 40);
}

function runsWithMetrics() {
  return report.runs.map((run, number) => [run, number]).filter(([run]) => run.metrics.steps.length);
}

/** The swatch of a dash in the colour of text. */
function dashSwatch(place) {
  const ink = theme.value("--ink");
  const border = ["solid", "dashed", "dotted"][place];
  return border ? `border-top:3px ${border} ${ink}` : `border:0;height:3px;background:repeating-linear-gradient(90deg,${ink} 0 8px,transparent 8px 11px,${ink} 11px 13px,transparent 13px 16px)`;
}

function metricPanel(title, hint, names, { stacked = false } = {}) {
  if (!names.length) return null;
  const several = runsWithMetrics().length > 1;
  const shown = { title, hint, connect: STEPS, onstep: openStep };
  if (stacked && !several) return panel({ ...shown, option: () => stackedOption(names) });
  const hidden = new Set(several && names.length > 3 ? names.slice(1, -1).map(shortName) : []);
  let figure = null;
  const legend = names.length > 1 ? keyList(names.map((name, place) => [shortName(name), () => several
    ? dashSwatch(place) : `border-color:${theme.color(place)}`]),
  hidden, () => figure.querySelector(".chart").panel.draw(true)) : null;
  figure = panel({ ...shown, legend, option: () => curveOption(names, hidden) });
  return figure;
}

/** Name of a metric within a panel: without what all of them begin and end with. */
function shortName(name) {
  return visible(name.replace(/^rewards\/(.*)\/mean$/, "$1").replace(/^(advantage|completions|time|view_ratio\/token|visual_dependence|reward(?=\/))\//, "")
    .replace("level_", "level ").replaceAll("_", " "));
}

function curveSeries(names, hidden) {
  const runs = runsWithMetrics();
  const several = runs.length > 1;
  return runs.filter(([run]) => !hiddenRuns.has(runName(run))).flatMap(([run, number]) => names.map((name, place) => [name, place])
    .filter(([name]) => run.metrics.columns[name] && !hidden.has(shortName(name))).map(([name, place]) => {
      const steps = run.metrics.steps;
      const values = run.metrics.columns[name];
      return {
        name: several ? `${runName(run)}${names.length > 1 ? ` · ${shortName(name)}` : ""}` : shortName(name),
        color: theme.color(several ? number : place),
        dash: several ? DASHES[place % DASHES.length] : "solid",
        raw: steps.map((step, at) => [step, values[at]]),
        smooth: smoothed(values, smoothWidth(values)).map((value, at) => [steps[at], value]),
      };
    }));
}

function curveOption(names, hidden = new Set()) {
  const curves = curveSeries(names, hidden);
  const series = curves.flatMap((curve) => {
    const base = { name: curve.name, type: "line", itemStyle: { color: curve.color }, connectNulls: true, emphasis: { disabled: true } };
    const bold = { ...base, data: curve.smooth, showSymbol: curve.raw.length < 3, symbolSize: 5,
      lineStyle: { color: curve.color, width: 2.2, type: curve.dash }, z: 3 };
    const faint = { ...base, data: curve.raw, showSymbol: curve.raw.length < 60, symbolSize: 3, silent: true,
      lineStyle: { color: curve.color, width: 1, opacity: 0.35 }, itemStyle: { color: curve.color, opacity: 0.35 }, z: 2 };
    return smoothing ? [bold, faint] : [bold];
  });
  return { ...baseOption({ x: stepAxis(), legend: false, tooltip: { formatter: curveTip(curves) } }), series };
}

function curveTip(curves) {
  return (points) => {
    const step = points[0]?.axisValue;
    const lines = curves.map((curve) => {
      const found = curve.raw.find(([at]) => at === step);
      return found ? [curve.color, curve.name, num(found[1], 3)] : null;
    });
    return tip(`step ${step}`, lines.filter(Boolean));
  };
}

function stackedOption(names) {
  const run = report.runs.find((one) => one.metrics.steps.length);
  const curves = names.filter((name) => run.metrics.columns[name]).map((name, place) => ({
    name: shortName(name), color: theme.color(place),
    raw: run.metrics.steps.map((step, at) => [step, run.metrics.columns[name][at]]),
  }));
  const series = curves.map((curve) => ({
    name: curve.name, type: "line", stack: "all", data: curve.raw, showSymbol: false, emphasis: { disabled: true },
    lineStyle: { width: 0 }, itemStyle: { color: curve.color }, areaStyle: { color: curve.color, opacity: 0.85 },
  }));
  const option = baseOption({ x: stepAxis(), y: { scale: false }, tooltip: { formatter: curveTip(curves) } });
  return { ...option, series };
}

function otherPanel() {
  const known = PANELS.flatMap(([, , patterns]) => (Array.isArray(patterns) ? matching(patterns) : []));
  const names = metricNames().filter((name) => !known.includes(name));
  if (!names.length) return null;
  let chosen = names[0];
  const figure = panel({ title: "Any other metric", connect: STEPS, onstep: openStep, option: () => curveOption([chosen]) });
  const select = choice("Metric", names.map((name) => [name, brief(name, 60)]), chosen, (value) => {
    chosen = value;
    figure.querySelector(".chart").panel.draw(true);
  });
  figure.querySelector("h3").after(select);
  return figure;
}

function evaluationPanel(title, hint) {
  const several = runsWithMetrics().length > 1;
  const curves = [];
  report.evaluations.forEach((task, number) => report.runs.forEach((run, place) => {
    const sets = task.sets.filter((set) => set.run === run.label && set.step !== null && set.accuracy !== null);
    if (sets.length < 2) return;
    const byStep = new Map(sets.map((set) => [set.step, set])); // of the last step what was measured after it
    curves.push({
      run: runName(run), task: brief(task.name, 40), tint: several ? place : number, dash: several ? DASHES[number % DASHES.length] : "solid",
      points: [...byStep.values()].map((set) => [set.step, 100 * set.accuracy, 100 * (set.stderr ?? 0), set.n]).sort((a, b) => a[0] - b[0]),
    });
  }));
  if (!curves.length) return null;
  const hidden = new Set();
  const tasks = report.evaluations.map((task, number) => [brief(task.name, 40), number]).filter(([name]) => curves.some((one) => one.task === name));
  let figure = null;
  const legend = tasks.length > 1 ? keyList(tasks.map(([name, number]) => [name, () => several
    ? dashSwatch(number) : `border-color:${theme.color(number)}`]),
  hidden, () => figure.querySelector(".chart").panel.draw(true)) : null;
  const option = () => evaluationOption(curves.filter((one) => !hidden.has(one.task) && !hiddenRuns.has(one.run)), several);
  figure = panel({ title, hint, legend, connect: STEPS, onstep: openStep, option });
  return figure;
}

function evaluationOption(curves, several) {
  const series = curves.flatMap((curve) => {
    const color = theme.color(curve.tint);
    const line = { name: curve.task, type: "line", data: curve.points, symbolSize: 7, emphasis: { disabled: true },
      lineStyle: { color, width: 2.2, type: curve.dash }, itemStyle: { color }, z: 3 };
    return [line, barSeries(curve.task, curve.points.map(([x, y, e]) => [x, y - e, y + e]), color)];
  });
  const formatter = (points) => {
    const step = points[0]?.axisValue;
    const lines = curves.map((curve) => {
      const found = curve.points.find(([at]) => at === step);
      const name = several ? `${curve.run} · ${curve.task}` : curve.task;
      return found ? [theme.color(curve.tint), name, `${num(found[1], 1)} ± ${num(found[2], 1)} (n = ${found[3]})`] : null;
    });
    return tip(`step ${step}`, lines.filter(Boolean));
  };
  return { ...baseOption({ x: stepAxis(), y: { axisLabel: { color: theme.value("--soft"), fontSize: 13, formatter: "{value} %" } }, legend: false, tooltip: { formatter } }), series };
}
