// Differences between runs with intervals, as `noisygrpo compare` has them.

function comparisonTables() {
  const found = report.comparison;
  if (!found) return null;
  if (found.problem) return h("p", { class: "hint" }, `No comparison: ${visible(found.problem)}`);
  const p = (value) => (value < 0.001 ? "< 0.001" : num(value, 3));
  const rows = found.differences.map((one) => [
    `${visible(one.task)}: ${visible(one.method)} − ${visible(one.baseline)}`,
    interval(one), p(one.p_value), p(one.p_holm), String(one.n),
  ]);
  const level = found.differences[0] ? num(100 * found.differences[0].confidence, 0) : "95";
  return h("div", {},
    differencePlot(found.differences, level),
    h("details", {}, h("summary", {}, "The differences as a table"),
      simpleTable(["difference", `points [${level} %]`, "p", "p (Holm)", "rows"], rows, "Differences in accuracy on the same samples, in percentage points")),
    found.left_out.length ? h("p", { class: "hint" }, `Not in every run, left out: ${visible(found.left_out.join(", "))}`) : null,
    ...found.notes.map((text) => h("p", { class: "hint" }, visible(text))));
}

function differencePlot(differences, level) {
  const names = differences.map((one) => `${brief(one.task, 24)} · ${brief(one.method, 24)}`).reverse();
  const methods = [...new Set(differences.map((one) => one.method))];
  const baseline = brief(differences[0]?.baseline ?? "", 40);
  const figure = panel({
    title: `Accuracy against ${baseline}`, wide: true,
    hint: `Difference in percentage points on the same samples with its ${level} % interval; faint where the interval holds 0.`,
    option: () => {
      const series = differences.flatMap((one, n) => {
        const y = names.length - 1 - n;
        const color = theme.color(1 + methods.indexOf(one.method));
        const opacity = one.low > 0 || one.high < 0 ? 1 : 0.45;
        const line = [[100 * one.low, y], [100 * one.high, y]];
        return [
          { type: "line", data: line, showSymbol: false, silent: true, lineStyle: { color, width: 4, opacity, cap: "round" } },
          { name: names[y], type: "scatter", data: [[100 * one.difference, y]], symbolSize: 13, itemStyle: { color, opacity } },
        ];
      });
      const formatter = (point) => {
        const one = differences[names.length - 1 - point.value[1]];
        return tip(point.seriesName, [[point.color, "difference", interval(one)]]);
      };
      const option = baseOption({ legend: false, tooltip: { trigger: "item", formatter },
        x: { name: "percentage points", splitLine: { show: true, lineStyle: { color: theme.value("--line") } } },
        y: { type: "category", data: names, splitLine: { show: false },
          axisLabel: { color: theme.value("--soft"), fontSize: 13, width: Math.min(260, window.innerWidth * 0.36), overflow: "truncate" } } });
      series[0] = { ...series[0], markLine: { silent: true, symbol: "none", label: { show: false }, data: [{ xAxis: 0 }], lineStyle: { color: theme.value("--ink"), type: "solid" } } };
      return { ...option, series };
    },
  });
  figure.querySelector(".chart").style.height = `${4.5 + 1.9 * differences.length}rem`;
  return figure;
}
