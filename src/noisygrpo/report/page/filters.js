// Which rollouts are listed, and in which order.

const FILTERS = {
  all: ["all", () => true],
  wrongup: ["wrong, but advantage above 0", (all, n) => all.right(n) === false && all.advantage[n] > 0],
  rightdown: ["right, but advantage below 0", (all, n) => all.right(n) === true && all.advantage[n] < 0],
  right: ["right", (all, n) => all.right(n) === true],
  wrong: ["wrong", (all, n) => all.right(n) === false],
  prior: ["prior-driven groups", (all, n) => all.gain[n] > 0.5],
  dead: ["groups that teach nothing", (all, n) => isDead(all, all.groupOf[n])],
  mixed: ["groups with right and wrong", (all, n) => isMixed(all, all.groupOf[n])],
  cut: ["cut off", (all, n) => all.cut[n] === 1],
  unscorable: ["unscorable", (all, n) => all.unscorable[n] === 1],
  hinted: ["with a hint", (all, n) => all.hint[n] > 0],
};

const SORTS = {
  step: ["step", null],
  advdown: ["advantage, highest first", (all, n) => -(all.advantage[n] ?? -Infinity)],
  advup: ["advantage, lowest first", (all, n) => all.advantage[n] ?? Infinity],
  rewarddown: ["reward, highest first", (all, n) => -(all.reward[n] ?? -Infinity)],
  rewardup: ["reward, lowest first", (all, n) => all.reward[n] ?? Infinity],
  leveldown: ["noise, most first", (all, n) => -all.level[n]],
  gain: ["gain, highest first", (all, n) => -(all.gain[n] ?? -Infinity)],
  long: ["longest first", (all, n) => -all.tokens[n]],
  short: ["shortest first", (all, n) => all.tokens[n]],
};

function isDead(all, group) {
  return all.members(group).every((n) => !all.advantage[n]);
}

function isMixed(all, group) {
  const found = new Set(all.members(group).map((n) => all.right(n)));
  return found.has(true) && found.has(false);
}

/** The filters that find anything in these rollouts. */
function usefulFilters(all) {
  const anywhere = (test) => {
    for (let n = 0; n < all.count; n++) if (test(all, n)) return true;
    return false;
  };
  return Object.entries(FILTERS).filter(([name, [, test]]) => name === "all" || anywhere(test)).map(([name, [text]]) => [name, text]);
}

/**
 * The rollouts that are asked for, sorted. `asked`: filter, level, text, sort, step (null for all);
 * `running()` is false as soon as something else is asked. Null then.
 */
async function findRollouts(all, asked, running, progress) {
  const test = (FILTERS[asked.filter] ?? FILTERS.all)[1];
  let found = [];
  for (let n = 0; n < all.count; n++) {
    if (asked.step !== null && all.step[n] !== asked.step) continue;
    if (asked.level !== "" && all.level[n] !== Number(asked.level)) continue;
    if (test(all, n)) found.push(n);
  }
  if (asked.text) found = await withText(all, found, asked.text.toLowerCase(), running, progress);
  if (found === null || !running()) return null;
  const key = (SORTS[asked.sort] ?? SORTS.step)[1];
  return key ? found.map((n) => [key(all, n), n]).sort((a, b) => a[0] - b[0] || a[1] - b[1]).map(([, n]) => n) : found;
}

async function withText(all, places, text, running, progress) {
  const prompts = (await store.get(`prompts/${all.number}`)) ?? [];
  const asked = prompts.map((prompt, n) => `${all.examples[n]} ${promptText(prompt)}`.toLowerCase().includes(text));
  const found = [];
  let chunk = -1;
  let said = [];
  for (const place of places) {
    const next = all.chunkOf(place);
    if (next !== chunk) {
      chunk = next;
      progress(chunk / all.run.rollouts.chunks.length);
      said = all.kept.has(chunk) ? (await store.get(`texts/${all.number}/${chunk}`)).completion : [];
      if (!running()) return null;
    }
    const row = place - all.run.rollouts.chunks[chunk][0];
    if (asked[all.example[place]] || said[row]?.toLowerCase().includes(text)) found.push(place);
  }
  return found;
}

function promptText(prompt) {
  return typeof prompt === "string" ? prompt : (prompt ?? []).map((turn) => turn.text).join("\n");
}
