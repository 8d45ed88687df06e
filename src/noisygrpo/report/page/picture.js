// Pictures, and a clean one beside what a rollout saw of it, large.

/** Pictures of [data URI, width, height] as elements. */
function pictures(found, alt) {
  return found.map(([source, width, height], place) =>
    h("img", { src: source, alt: found.length > 1 ? `${alt}, ${place + 1} of ${found.length}` : alt, width, height, decoding: "async" }));
}

const dialog = document.getElementById("dialog");
let dialogKeys = null;

/** Show nodes in the dialog; `keys(event)` gets its keys. */
function openDialog(label, nodes, keys = null) {
  dialogKeys = keys;
  dialog.setAttribute("aria-label", label);
  fill(dialog, h("button", { type: "button", class: "close", onclick: () => dialog.close() }, "Close"), nodes);
  if (!dialog.open) dialog.showModal();
}

dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
dialog.addEventListener("keydown", (event) => dialogKeys?.(event));

/** A rollout's view beside its clean picture. */
async function openView(all, place) {
  const group = all.groupOf[place];
  const [clean, views, texts] = await Promise.all([all.cleanPictures(all.example[place]), all.viewPictures(group), all.texts(place)]);
  const level = all.level[place];
  const seen = views?.[place] ?? (level > 0 ? null : clean);
  const name = `rollout ${all.index[place]} at level ${plain(level)}`;
  const caption = level > 0 ? `What it saw: level ${plain(level)}` : "It saw the clean picture";
  const size = clean[0] ? ` · ${clean[0][1]} × ${clean[0][2]} pixels` : "";
  const longest = clean[0] ? Math.max(clean[0][1], clean[0][2]) : 0;
  const scaled = !report.all_views && longest > report.longest;
  openDialog(name, [
    h("h3", {}, `Step ${all.step[place]}, ${brief(all.examples[all.example[place]], 80)}, rollout ${all.index[place]}`),
    h("div", { class: "pair" },
      h("figure", {}, pictures(clean, "clean picture"), h("figcaption", {}, `Clean${size}`)),
      h("figure", {}, seen ? pictures(seen, `view at level ${plain(level)}`) : h("p", { class: "missing" }, "not drawn in this page"), h("figcaption", {}, caption))),
    report.look ? null : [verdictLine(all, place), texts ? completionBox(texts, false) : null],
    scaled ? h("p", { class: "hint" }, `Both are shown at ${report.longest} pixels of ${longest}: noise looks weaker than it is. --all-views keeps the size.`) : null,
    level > 0 ? redrawHint(all, place, texts) : null,
    h("p", { class: "hint" }, "← → : the other rollouts of the group; Escape closes"),
  ], (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    const next = place + step;
    if (step && next >= all.groups[group] && next < all.end(group)) {
      event.preventDefault();
      showRollout(all, next);
      openView(all, next);
    }
  });
}

function redrawHint(all, place, texts) {
  const seeds = texts?.seeds;
  if (!seeds) return null;
  const record = `{"noise_level": ${all.level[place]}, "noise_kind": ${JSON.stringify(texts.kind ?? "gaussian")}, "noise_seed": ${JSON.stringify(seeds)}}`;
  return h("details", {}, h("summary", {}, "Draw it in Python, to the byte"),
    h("pre", { tabIndex: 0 }, visible(`from noisygrpo.report.views import redraw\n\nview = redraw(${record}, image)`)));
}
