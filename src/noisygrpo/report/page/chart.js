// Charts: a panel with a title and an ECharts chart in it, drawn when it comes into sight.

const charts = [];
const STEPS = "steps"; // charts whose cursors move together

const inSight = new IntersectionObserver((entries) => {
  for (const entry of entries) {
    if (entry.isIntersecting) entry.target.panel.draw();
  }
}, { rootMargin: "300px" });

/**
 * A panel. `option()` gives ECharts' option and is asked again where theme or data change;
 * `onstep(step)` is called with the place on the horizontal axis that was clicked.
 */
function panel({ title, hint, option, label, legend = null, wide = false, connect = "", onstep = null }) {
  const box = h("div", { class: "chart", role: "img", "aria-label": label || title });
  const figure = h("figure", { class: wide ? "panel wide" : "panel" },
    h("h3", {}, title), hint ? h("p", { class: "hint" }, hint) : null, legend, box);
  box.panel = {
    chart: null,
    draw(anew = false) {
      if (this.chart && !anew) return;
      if (!this.chart) {
        this.chart = echarts.init(box);
        if (connect) this.chart.group = connect;
        if (onstep) this.listen();
      }
      this.chart.setOption(option(), { notMerge: true });
    },
    listen() {
      this.chart.getZr().on("click", (event) => {
        const place = [event.offsetX, event.offsetY];
        if (!this.chart.containPixel("grid", place)) return;
        onstep(this.chart.convertFromPixel("grid", place)[0]);
      });
    },
  };
  charts.push(box.panel);
  inSight.observe(box);
  return figure;
}

function redrawCharts() {
  for (const one of charts) if (one.chart) one.draw(true);
}

function startCharts() {
  echarts.connect(STEPS);
  theme.listeners.push(redrawCharts);
  window.addEventListener("resize", debounced(() => charts.forEach((one) => one.chart?.resize()), 100));
  window.addEventListener("beforeprint", () => charts.forEach((one) => one.draw()));
}

/** What all charts have in common; `x` and `y` are further fields of the axes. */
function baseOption({ x = {}, y = {}, legend = true, tooltip = {} }) {
  const ink = theme.value("--ink");
  const soft = theme.value("--soft");
  const line = theme.value("--line");
  const axis = {
    axisLabel: { color: soft, hideOverlap: true, fontSize: 13 }, nameTextStyle: { color: soft, fontSize: 13 },
    axisLine: { lineStyle: { color: line } }, axisTick: { show: false },
  };
  return {
    animation: false,
    textStyle: { fontFamily: getComputedStyle(document.body).fontFamily, fontSize: 13 },
    grid: { left: 8, right: 18, top: legend ? 34 : 12, bottom: 30, containLabel: true },
    legend: legend ? {
      type: "scroll", top: 0, left: 0, icon: "roundRect", itemWidth: 14, itemHeight: 4,
      textStyle: { color: ink, fontSize: 13 }, pageTextStyle: { color: soft }, pageIconColor: ink, pageIconInactiveColor: line,
    } : undefined,
    tooltip: {
      trigger: "axis", confine: true, backgroundColor: theme.value("--panel"), borderColor: line,
      textStyle: { color: ink, fontSize: 13 }, axisPointer: { lineStyle: { color: soft } }, ...tooltip,
    },
    xAxis: { type: "value", splitLine: { show: false }, nameLocation: "middle", nameGap: 24, ...axis, ...x },
    yAxis: { type: "value", scale: true, splitLine: { lineStyle: { color: line } }, ...axis, ...y },
  };
}

/** Keys of a chart that can be switched off: [name, swatch()]; `hidden` is the set of those that are. */
function keyList(entries, hidden, redraw) {
  return h("div", { class: "keys", role: "group", "aria-label": "Shown" }, entries.map(([name, swatch]) => {
    const button = h("button", { type: "button", class: "key", "aria-pressed": String(!hidden.has(name)), onclick: () => {
      if (hidden.has(name)) hidden.delete(name);
      else if (hidden.size < entries.length - 1) hidden.add(name);
      button.setAttribute("aria-pressed", String(!hidden.has(name)));
      redraw();
    } });
    const paint = () => fill(button, h("span", { class: "swatch", style: swatch() }), name);
    theme.listeners.push(paint);
    paint();
    return button;
  }));
}

/** A tooltip: a title, and a line for each of [colour, name, value]. */
function tip(title, lines) {
  const shown = lines.slice(0, 16);
  return h("div", { class: "tip" },
    h("b", {}, title),
    h("table", {}, h("tbody", {}, shown.map(([color, name, value]) => h("tr", {},
      h("td", {}, h("span", { class: "dot", style: `background:${color}` }), name),
      h("td", { class: "num" }, value))))),
    lines.length > shown.length ? h("div", {}, `and ${lines.length - shown.length} more`) : null);
}

/** Axis of steps: whole numbers only. */
function stepAxis() {
  return { name: "step", minInterval: 1, min: "dataMin", max: "dataMax", axisLabel: {
    color: theme.value("--soft"), hideOverlap: true, fontSize: 13,
    formatter: (value) => (Number.isInteger(value) ? String(value) : ""),
  } };
}

/** Vertical bars [x, low, high] as one line series with gaps. */
function barSeries(name, bars, color) {
  const data = bars.filter(([, low]) => low !== null)
    .flatMap(([x, low, high]) => [[x, low], [x, high], [x, "-"]]);
  return {
    name, type: "line", data, showSymbol: false, silent: true, tooltip: { show: false },
    lineStyle: { color, width: 1.5 }, itemStyle: { color }, emphasis: { disabled: true }, z: 1,
  };
}

/** Gaussian-weighted local mean over positions; values that are null stay so. */
function smoothed(values, width) {
  if (width <= 0) return values;
  const reach = Math.ceil(3 * width);
  return values.map((value, place) => {
    if (value === null) return null;
    let sum = 0;
    let weights = 0;
    for (let at = Math.max(0, place - reach); at <= Math.min(values.length - 1, place + reach); at++) {
      if (values[at] === null) continue;
      const weight = Math.exp(-0.5 * ((at - place) / width) ** 2);
      sum += weight * values[at];
      weights += weight;
    }
    return sum / weights;
  });
}
