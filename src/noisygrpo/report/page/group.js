// One group: the prompt, its clean picture, and every rollout with what it saw, said and earned.

let bySeen = false;

async function groupView(all, group, chosen) {
  const first = all.groups[group];
  const example = all.example[first];
  const members = all.members(group);
  const [prompt, target, clean, views, second, texts] = await Promise.all([
    all.prompt(example), all.target(example), all.cleanPictures(example), all.viewPictures(group),
    all.run.second ? store.get(`second/${all.number}/${group}`) : null,
    Promise.all(members.map((place) => all.texts(place))),
  ]);
  const anySeen = texts.some((one) => one?.seen);
  return h("div", { class: "group" },
    h("div", { class: "asked" },
      clean.length ? h("figure", {}, pictures(clean, "clean picture of the prompt"), h("figcaption", {}, cleanCaption(all, example))) : null,
      second ? h("figure", {}, pictures(second, "second view"), h("figcaption", {}, `Compared with: ${visible(all.run.second)}`)) : null,
      h("div", {},
        h("h3", {}, `Step ${all.step[first]} · ${brief(all.examples[example], 80)}`),
        promptBox(prompt),
        target ? h("p", {}, "Target: ", h("b", { dir: "auto" }, visible(target))) : null,
        report.look ? null : h("p", { class: "hint" }, groupLine(all, group)),
        otherSteps(all, group),
        anySeen ? h("button", { type: "button", "aria-pressed": String(bySeen), onclick: () => { bySeen = !bySeen; address.tell(); } },
          "Colour by visual dependence") : null)),
    h("div", { class: "cards" }, members.map((place, n) => card(all, place, { clean, views, texts: texts[n], chosen: place === chosen }))));
}

function cleanCaption(all, example) {
  if (!report.look) return "Clean picture";
  const [image, prompt] = all.run.scored[example];
  const how = { clean: "Scored on", own: "Clean; each is scored on its own view", all: "Each is scored on all views of the group" };
  return `${how[all.run.score_view]}: ${tokenCost(image, prompt)}`;
}

function tokenCost(image, prompt) {
  return `${count(image)} image tokens, ${count(prompt)} in the prompt`;
}

function promptBox(prompt) {
  const turns = typeof prompt === "string" ? [{ role: "", text: prompt }] : prompt;
  return h("div", { class: "prompt" }, turns.map((turn) =>
    h("p", { dir: "auto" }, turn.role && turns.length > 1 ? h("b", {}, `${visible(turn.role)}: `) : null, visible(turn.text))));
}

function groupLine(all, group) {
  const members = all.members(group);
  const right = members.filter((place) => all.right(place)).length;
  const rewards = new Set(members.map((place) => all.reward[place]));
  const gain = all.gain[members[0]];
  const words = [`${right} of ${members.length} right`];
  if (rewards.size === 1) words.push("all rewards equal");
  if (gain !== null) words.push(`gain ${num(gain)}: ${gain > 0.5 ? "the prior decides" : "the rewards decide"}`);
  if (isDead(all, group)) words.push("teaches nothing");
  return words.join(" · ");
}

/** The same prompt at other steps. */
function otherSteps(all, group) {
  const example = all.example[all.groups[group]];
  const same = all.groups.map((first, n) => [first, n]).filter(([first]) => all.example[first] === example);
  if (same.length < 2) return null;
  return h("p", {}, "This prompt at step ", same.slice(0, 60).map(([first, n]) => {
    const members = all.members(n);
    const right = members.filter((place) => all.right(place)).length;
    return h("button", { type: "button", class: "chip", "aria-pressed": String(n === group), onclick: () => showRollout(all, first) },
      `${all.step[first]} (${right}/${members.length})`);
  }));
}

function card(all, place, { clean, views, texts, chosen }) {
  const level = all.level[place];
  const seen = views?.[place] ?? (level > 0 ? null : clean);
  const open = () => { showRollout(all, place); openView(all, place); };
  const advantage = all.advantage[place] ?? 0;
  const tone = `rgba(var(--${advantage >= 0 ? "up" : "down"}),${(Math.min(1, Math.abs(advantage) / 2) * 0.42).toFixed(2)})`;
  const image = seen && seen.length
    ? h("button", { type: "button", class: "view", onclick: open, "aria-label": `Rollout ${all.index[place]}: compare its view with the clean picture` },
      pictures(seen, `what rollout ${all.index[place]} saw, level ${plain(level)}`))
    : h("p", { class: "missing" }, all.run.rollouts.clean ? "view not drawn in this page" : "no picture");
  const element = h("article", { class: chosen ? "card chosen" : "card", id: `rollout-${place}` },
    h("header", { style: `background:${tone}` },
      h("span", {}, `${all.index[place]} · ${level > 0 ? `level ${plain(level)}` : "clean"}`),
      report.look ? null : h("b", {}, `advantage ${signed(advantage)}`)),
    image,
    report.look ? h("p", { class: "verdicts" }, `Sampled on: ${tokenCost(...all.cost[place])}`)
      : [verdictLine(all, place), rewardList(all, place), completionBox(texts, bySeen)]);
  return element;
}

function verdictLine(all, place) {
  const right = all.right(place);
  const words = [];
  if (all.unscorable[place]) words.push(h("span", { class: "verdict warn" }, "? unscorable"));
  else if (right !== null) words.push(h("span", { class: `verdict ${right ? "right" : "wrong"}` }, right ? "✓ right" : "✗ wrong"));
  if (all.cut[place]) words.push(h("span", { class: "verdict warn" }, "cut off"));
  if (all.hint[place] > 0) words.push(h("span", { class: "verdict" }, `hint ${num(100 * all.hint[place], 0)} %`));
  return h("p", { class: "verdicts" }, words, h("span", { class: "hint" }, `${count(all.tokens[place])} tokens`));
}

function rewardList(all, place) {
  const entries = all.names.map((name) => [brief(name, 30), num(all.parts[name][place], 2)]);
  entries.push(["reward", num(all.reward[place], 2)]);
  if (all.gain[place] !== null) entries.push(["prior 1 − level", plain(1 - all.level[place])], ["gain", num(all.gain[place], 2)]);
  return h("dl", { class: "rewards" }, entries.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))));
}
