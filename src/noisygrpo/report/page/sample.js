// One sample: its picture, question and target, and what each model answered.

async function sampleView(n) {
  const { number, task, sets, rows, columns } = samples;
  const [found, ...said] = await Promise.all([samplePictures(n), ...sets.map((one) => store.get(`said/${number}/${one}`))]);
  return h("div", { class: "group" },
    h("div", { class: "asked" },
      found.length ? h("figure", {}, pictures(found, "picture of the sample"),
        h("figcaption", {}, `${found[0][1]} × ${found[0][2]} pixels`)) : h("p", { class: "missing" }, "no picture in this page"),
      h("div", {}, h("h3", {}, brief(rows.ids[n], 120)), h("div", { class: "prompt" }, h("p", { dir: "auto" }, visible(rows.question[n]))),
        h("p", {}, "Target: ", h("b", { dir: "auto" }, visible(rows.answer[n]))),
        rows.kind[n] ? h("p", { class: "hint" }, visible(rows.kind[n])) : null)),
    h("div", { class: "outputs" }, sets.map((one, place) => outputCard(task.sets[one], columns[place], said[place], n))));
}

async function samplePictures(n) {
  const task = samples.task;
  const order = (task.clean ?? []).indexOf(n);
  if (order < 0) return [];
  return (await store.get(`sample/${samples.number}/${Math.floor(order / task.clean_part)}`))?.[n] ?? [];
}

function outputCard(set, column, said, n) {
  const score = column.score[n];
  const verdict = score === null ? "not asked" : score === 1 ? "✓ right" : score === 0 ? "✗ wrong" : `score ${num(score)}`;
  const kind = score === 1 ? "right" : score === 0 ? "wrong" : "";
  return h("article", { class: "card" },
    h("header", {}, h("span", {}, setName(set)), h("b", { class: `verdict ${kind}` }, verdict)),
    h("p", { class: "verdicts" }, said?.extracted[n] ? h("span", {}, "read as ", h("b", {}, brief(said.extracted[n], 120))) : null,
      said?.why[n] ? h("span", { class: "hint" }, brief(said.why[n], 160)) : null,
      column.cut[n] ? h("span", { class: "verdict warn" }, "cut off") : null,
      h("span", { class: "hint" }, `${column.tokens[n] ?? "–"} tokens`)),
    completionBox(said ? { completion: said.output[n] } : null, false));
}
