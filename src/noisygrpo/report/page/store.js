// The page's data: named parts in elements of the page, or in scripts beside it.

const store = {
  elements: new Map(),
  waiting: new Map(),
  found: new Map(),

  /** The value of a part; null where the page has none of that name. */
  get(name) {
    if (!this.found.has(name)) this.found.set(name, this.read(name));
    return this.found.get(name);
  },

  async read(name) {
    const element = this.elements.get(name);
    const given = element ? [element.dataset.kind, element.textContent] : await this.load(name);
    if (!given) return null;
    const [kind, text] = given;
    return JSON.parse(kind === "z" ? await unzip(text) : text);
  },

  /** A part beside the page: a script that calls `noisygrpoPart`, as a page on disk can fetch none. */
  load(name) {
    if (this.elements.size) return null;
    return new Promise((resolve) => {
      this.waiting.set(name, resolve);
      const gone = () => resolve(null);
      const src = `parts/${name.replaceAll("/", "-")}.js`;
      document.head.append(h("script", { src, onerror: gone, onload: gone }));
    });
  },
};

window.noisygrpoPart = ([name, kind, text]) => store.waiting.get(name)?.([kind, text]);

async function unzip(text) {
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).text();
}

for (const element of document.querySelectorAll("script[data-part]")) {
  store.elements.set(element.dataset.part, element);
}

/** The rollouts of a run: numbers at hand, texts and pictures when they are asked for. */
class Rollouts {
  constructor(run, number, columns) {
    Object.assign(this, columns);
    this.run = run;
    this.number = number;
    this.count = this.step.length;
    this.names = Object.keys(this.parts);
    const given = run.correct.reward;
    this.correct = this.names.includes(given)
      ? given : this.names.find((name) => !name.includes("format")) ?? this.names[0];
    this.groupOf = new Int32Array(this.count);
    this.groups.forEach((first, group) => {
      for (let place = first; place < this.end(group); place++) this.groupOf[place] = group;
    });
    this.steps = [...new Set(this.step)];
    this.clean = new Map((run.rollouts.clean ?? []).map((place, order) => [place, order]));
    this.views = new Set(run.rollouts.views ?? []);
    this.kept = new Set(run.rollouts.kept);
  }

  end(group) {
    return group + 1 < this.groups.length ? this.groups[group + 1] : this.count;
  }

  members(group) {
    return Array.from({ length: this.end(group) - this.groups[group] }, (_, n) => this.groups[group] + n);
  }

  /** true, false, or null where nothing says. */
  right(place) {
    const value = this.correct === undefined ? null : this.parts[this.correct][place];
    return value === null ? null : value >= this.run.correct.at;
  }

  chunkOf(place) {
    const chunks = this.run.rollouts.chunks;
    let low = 0;
    let high = chunks.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (chunks[middle][0] <= place) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  /** The texts of a rollout; null where the page leaves them out. */
  async texts(place) {
    const chunk = this.chunkOf(place);
    if (!this.kept.has(chunk)) return null;
    const columns = await store.get(`texts/${this.number}/${chunk}`);
    const row = place - this.run.rollouts.chunks[chunk][0];
    return Object.fromEntries(Object.entries(columns).map(([name, values]) => [name, values[row]]));
  }

  async prompt(example) {
    return (await store.get(`prompts/${this.number}`))?.[example] ?? "";
  }

  async target(example) {
    return this.run.rollouts.clean ? (await store.get(`answers/${this.number}`))?.[example] ?? "" : "";
  }

  /** The clean pictures of a row; [] where the page has none. */
  async cleanPictures(example) {
    const order = this.clean.get(example);
    if (order === undefined) return [];
    const part = Math.floor(order / this.run.rollouts.clean_part);
    return (await store.get(`clean/${this.number}/${part}`))?.[example] ?? [];
  }

  /** Rollout to its view's pictures, of those of a group that are not clean. */
  async viewPictures(group) {
    return this.views.has(group) ? store.get(`views/${this.number}/${group}`) : null;
  }
}

const allRollouts = new Map();

/** The rollouts of a run by its number; null where it has none. */
function rolloutsOf(number) {
  if (!allRollouts.has(number)) {
    const run = report.runs[number];
    allRollouts.set(number, run.rollouts.count
      ? store.get(`columns/${number}`).then((columns) => new Rollouts(run, number, columns)) : null);
  }
  return allRollouts.get(number);
}
