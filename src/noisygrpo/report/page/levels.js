// Reward against noise level with intervals: where noise stops being seen through.

function levelsSection() {
  const runs = report.runs.map((run, number) => [run, number]).filter(([run]) => Object.keys(run.levels).length);
  const curves = report.runs.map((run, number) => [run, number]).filter(([run]) => run.curve);
  if (!runs.length && !curves.length) return null;
  const section = h("section", { id: "levels" }, h("h2", {}, "Noise levels"));
  if (runs.length) section.append(...rewardByLevel(runs));
  if (curves.length) section.append(...robustness(curves));
  return section;
}

function rewardByLevel(runs) {
  const names = [...new Set(runs.flatMap(([run]) => Object.keys(run.levels)))];
  let chosen = names.find((name) => /accuracy|correct/.test(name)) ?? "reward";
  const several = runs.length > 1;
  const spans = several ? ["all"] : ["first", "all", "last"];
  const texts = { all: "all steps", first: "first third", last: "last third" };
  const figures = [panel({
    title: "Reward against noise level",
    hint: "Mean with a 95 % interval that holds the rollouts of a prompt together. Where the curve falls, the noise is no longer seen through.",
    wide: true,
    option: () => levelOption(runs.flatMap(([run, number]) => spans.filter((span) => run.levels[chosen]?.[span]).map((span, place) => ({
      name: several ? brief(run.label, 40) : texts[span], color: theme.color(several ? number : [1, 0, 2][place]),
      dash: span === "all" ? "solid" : "dashed", points: run.levels[chosen][span],
    }))), "noise level", chosen),
  })];
  const select = choice("Of", names.map((name) => [name, brief(name, 60)]), chosen, (value) => {
    chosen = value;
    figures[0].querySelector(".chart").panel.draw(true);
  });
  return [h("div", { class: "bar" }, select), ...figures];
}

/** Labels at the levels themselves. */
function levelLabels(curves) {
  const levels = [...new Set(curves.flatMap((curve) => curve.points.map(([x]) => x)))];
  if (levels.length > 12) return { color: theme.value("--soft"), fontSize: 13 };
  return { color: theme.value("--soft"), fontSize: 13, customValues: levels, hideOverlap: true, formatter: plain };
}

/** Curves of [x, mean, low, high, n]. */
function levelOption(curves, xName, yName) {
  const widest = Math.max(1e-9, ...curves.flatMap((curve) => curve.points.map(([x]) => x)));
  const nudge = (place) => (place - (curves.length - 1) / 2) * 0.01 * widest; // so that bars do not hide each other
  const series = curves.flatMap((curve, place) => [
    { name: curve.name, type: "line", data: curve.points.map(([x, y]) => [x + nudge(place), y]), symbolSize: 8, z: 3,
      emphasis: { disabled: true }, lineStyle: { color: curve.color, width: 2.2, type: curve.dash }, itemStyle: { color: curve.color } },
    barSeries(curve.name, curve.points.map(([x, , low, high]) => [x + nudge(place), low, high]), curve.color),
  ]);
  if (curves.some((curve) => curve.flat !== undefined)) {
    for (const curve of curves.filter((one) => one.flat !== undefined)) {
      const ends = [0, 1].map((x) => [x, curve.flat]);
      series.push({ name: `${curve.name}, no image`, type: "line", data: ends, showSymbol: false,
        emphasis: { disabled: true }, lineStyle: { color: curve.color, width: 1.5, type: "dotted" }, itemStyle: { color: curve.color } });
    }
  }
  const formatter = (point) => {
    const curve = curves.find((one) => one.name === point.seriesName);
    const found = curve?.points[point.dataIndex];
    if (!found) return tip(visible(point.seriesName), [[point.color, yName, num(point.value[1], 2)]]);
    const [x, mean, low, high, n] = found;
    return tip(`${xName} ${num(x, 3)}`, [
      [point.color, curve.name, num(mean, 3)], [point.color, "interval", low === null ? "–" : `${num(low, 3)} to ${num(high, 3)}`],
      [point.color, "rollouts", count(n)],
    ]);
  };
  const option = baseOption({ x: { name: xName, min: -0.04 * widest, max: 1.04 * widest, axisLabel: levelLabels(curves) }, y: { name: yName, nameLocation: "end" }, tooltip: { trigger: "item", formatter } });
  option.grid.top = 58;
  return { ...option, series };
}

function robustness(runs) {
  const kinds = [...new Set(runs.flatMap(([run]) => Object.keys(run.curve.curves)))];
  const figures = kinds.map((kind) => panel({
    title: kind.replaceAll("_", " "),
    option: () => levelOption(runs.filter(([run]) => run.curve.curves[kind]).map(([run, number]) => ({
      name: brief(run.label, 40), color: theme.color(number), dash: "solid",
      points: run.curve.curves[kind].map((point) => {
        const error = 1.96 * (point.stderr ?? 0);
        return [point.level, 100 * point.accuracy, 100 * (point.accuracy - error), 100 * (point.accuracy + error), point.n];
      }),
      flat: run.curve.text_only ? 100 * run.curve.text_only.accuracy : undefined,
    })), "level", "accuracy, %"),
  }));
  const worth = runs.filter(([run]) => run.curve.looking).map(([run]) => {
    const looking = run.curve.looking;
    return h("p", {}, `${visible(run.label)}: the image is worth ${interval(looking)} points (95 %).`);
  });
  return [h("h3", {}, "Robustness"), h("p", { class: "hint" }, "Accuracy by level of disturbance with 95 % intervals; dotted: without the image."),
    ...worth, h("div", { class: "charts" }, figures)];
}
