// Building elements, and showing what models and data say: only ever as text, never as markup.

/** An element; `props` are properties, `on…` listeners, or attributes; children nodes or texts. */
function h(tag, props, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "class") element.className = value;
    else if (name === "style") element.style.cssText = value;
    else if (name in element && name !== "list") element[name] = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
}

// Escape sequences, halves of characters, and marks that turn the direction of all that follows.
const STEERING =
  /[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\u2028\u2029]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g;

/** Text of a model or of data with a replacement character for what would steer its reader. */
function visible(text) {
  return String(text ?? "").replace(/\r\n/g, "\n").replace(STEERING, "\ufffd");
}

/** One line of at most `most` characters. */
function brief(text, most = 90) {
  const line = visible(text).replace(/\s+/g, " ").trim();
  return line.length > most ? `${line.slice(0, most - 1)}…` : line;
}

/** A number with `digits` behind the point; a dash for none. */
function num(value, digits = 2) {
  if (value === null || value === undefined || Number.isNaN(value)) return "–";
  if (Number.isInteger(value) && Math.abs(value) < 1e6 && digits > 0) return String(value);
  const size = Math.abs(value);
  if (size !== 0 && (size < 10 ** -digits || size >= 1e6)) return value.toPrecision(3);
  return value.toFixed(digits).replace(/^-(0\.?0*)$/, "$1");
}

/** A number with its sign and always as many digits: `+1.00`. */
function signed(value, digits = 2) {
  const text = Math.abs(value).toFixed(digits);
  return `${value > 0 ? "+" : value < 0 ? "\u2212" : ""}${text}`;
}

/** A number without zeros at its end; a dash for none. */
function plain(value) {
  if (value === null || value === undefined || Number.isNaN(value)) return "–";
  return String(Number(value.toFixed(3)));
}

/** A share as percentage points with their sign: `+18.0`. */
function points(share) {
  return `${share > 0 ? "+" : share < 0 ? "\u2212" : ""}${Math.abs(100 * share).toFixed(1)}`;
}

/** A difference with its interval, in percentage points. */
function interval({ difference, low, high }) {
  return `${points(difference)} [${points(low)}, ${points(high)}]`;
}

/** `0.512, 0.016` as `51.2 ± 1.6`. */
function percent(accuracy, stderr) {
  if (accuracy === null || accuracy === undefined) return "–";
  const mean = (100 * accuracy).toFixed(1);
  return stderr === null || stderr === undefined ? mean : `${mean} ± ${(100 * stderr).toFixed(1)}`;
}

/** A count with commas. */
function count(value) {
  return Number(value).toLocaleString("en-US");
}

/** Replace the children of an element. */
function fill(element, ...children) {
  element.replaceChildren(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
}

/** A table; `head` and cells are texts or nodes, columns from the second one are numbers. */
function simpleTable(head, rows, caption) {
  const cell = (kind) => (content, place) =>
    h(kind, { class: place ? "num" : "", scope: kind === "th" ? "col" : null }, content);
  return h("div", { class: "scroll", tabIndex: 0, role: "region", "aria-label": caption },
    h("table", {},
      h("caption", {}, caption),
      h("thead", {}, h("tr", {}, head.map(cell("th")))),
      h("tbody", {}, rows.map((row) => h("tr", {}, row.map(cell("td")))))));
}

/** A labelled control. */
function field(label, control) {
  return h("label", { class: "field" }, h("span", {}, label), control);
}

/** A choice; `options` are [value, text] pairs. */
function choice(label, options, value, onchange) {
  const select = h("select", { onchange: () => onchange(select.value) },
    options.map(([key, text]) => h("option", { value: key }, text)));
  select.value = value;
  return field(label, select);
}

/** `drawn` is a promise that is kept when `tell` is called: what is in a place has its height. */
function firstDrawn() {
  let tell = null;
  const drawn = new Promise((resolve) => { tell = resolve; });
  return { drawn, tell };
}

/** Call `work` once, `wait` milliseconds after the last of several calls. */
function debounced(work, wait = 200) {
  let timer = 0;
  return (...args) => {
    clearTimeout(timer);
    timer = setTimeout(() => work(...args), wait);
  };
}
