// Keys: everything that the mouse can do in the explorer.

const KEYS = [
  ["j / k", "next, previous prompt"], ["] / [", "next, previous step"], ["l / h", "next, previous rollout of the group"],
  ["Enter or v", "the rollout's view beside the clean picture"], ["n / p", "next, previous in the list"], ["/", "search"],
  ["t", "light or dark"], ["?", "these keys"], ["Escape", "close"],
];

function openHelp() {
  openDialog("Keys", [h("h3", {}, "Keys"), h("table", {}, h("tbody", {}, KEYS.map(([keys, text]) =>
    h("tr", {}, h("td", {}, h("kbd", {}, keys)), h("td", {}, text)))))]);
}

function rolloutTo(all, direction) {
  const members = all.members(all.groupOf[explorer.place]);
  const next = explorer.place + direction;
  if (members.includes(next)) showRollout(all, next);
}

function listTo(all, direction) {
  const next = explorer.list.beside(direction);
  if (next !== undefined) showRollout(all, next);
}

const ACTIONS = {
  j: (all) => groupTo(all, 1), k: (all) => groupTo(all, -1), "]": (all) => stepTo(all, 1), "[": (all) => stepTo(all, -1),
  l: (all) => rolloutTo(all, 1), h: (all) => rolloutTo(all, -1), n: (all) => listTo(all, 1), p: (all) => listTo(all, -1),
  v: (all) => openView(all, explorer.place), Enter: (all) => openView(all, explorer.place),
};

function startKeys() {
  document.getElementById("help").addEventListener("click", openHelp);
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || dialog.open) return;
    const target = event.target;
    if (target.matches("input, select, textarea") || (event.key === "Enter" && target.matches("button, a, summary"))) return;
    if (event.key === "?") openHelp();
    else if (event.key === "t") document.getElementById("theme").click();
    else if (event.key === "/") document.getElementById("search")?.focus();
    else if (ACTIONS[event.key] && explorer.all) ACTIONS[event.key](explorer.all);
    else return;
    event.preventDefault();
  });
}
