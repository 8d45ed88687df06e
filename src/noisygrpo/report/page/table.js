// A long list as a table that grows as it is asked for.

const PAGE = 60;

/**
 * A list of rows that can be chosen by mouse and keys.
 * `cells(item)` gives the cells, `onchoose(item)` is called, `isChosen(item)` marks one.
 */
function listTable({ head, label, cells, onchoose, isChosen }) {
  const body = h("tbody", {});
  const more = h("button", { type: "button", onclick: () => grow() });
  const element = h("div", { class: "list", tabIndex: 0, role: "region", "aria-label": label },
    h("table", {}, h("thead", {}, h("tr", {}, head.map((name, place) => h("th", { scope: "col", class: place ? "num" : "" }, name)))), body), more);
  let items = [];
  let shown = 0;

  function row(item) {
    const [first, ...rest] = cells(item);
    const button = h("button", { type: "button", class: "row", onclick: () => onchoose(item) }, first);
    const line = h("tr", { onclick: (event) => event.target !== button && onchoose(item) },
      h("td", {}, button), rest.map((content) => h("td", { class: "num" }, content)));
    line.item = item;
    return line;
  }

  function grow() {
    const next = items.slice(shown, shown + PAGE);
    body.append(...next.map(row));
    shown += next.length;
    more.hidden = shown >= items.length;
    more.textContent = `${count(items.length - shown)} more`;
    mark();
  }

  function mark() {
    for (const line of body.children) {
      const chosen = isChosen(line.item);
      line.classList.toggle("chosen", chosen);
      line.querySelector("button").setAttribute("aria-current", chosen ? "true" : "false");
    }
  }

  return {
    element,
    mark,
    show(found) {
      items = found;
      shown = 0;
      body.replaceChildren();
      element.scrollTop = 0;
      grow();
    },
    /** The item behind or before the one that is marked. */
    beside(direction) {
      const place = items.findIndex(isChosen);
      return items[Math.max(0, Math.min(items.length - 1, place + direction))];
    },
  };
}
