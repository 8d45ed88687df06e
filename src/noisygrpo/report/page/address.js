// What is shown is in the address, so that it can be kept and sent: #rollouts?step=12&example=row-7

const address = {
  section: "",
  values: {},
  listeners: [],

  read() {
    const [section, query] = location.hash.slice(1).split("?");
    this.section = section || "";
    this.values = Object.fromEntries(new URLSearchParams(query || ""));
  },

  /** Change some values (null takes one out) and tell all who listen. */
  set(section, changes, { push = false } = {}) {
    const values = { ...(section === this.section ? this.values : {}), ...changes };
    for (const [key, value] of Object.entries(values)) {
      if (value === null || value === undefined || value === "") delete values[key];
    }
    const query = new URLSearchParams(values).toString();
    const hash = `#${section}${query ? `?${query}` : ""}`;
    this.section = section;
    this.values = values;
    if (hash !== location.hash) history[push ? "pushState" : "replaceState"](null, "", hash);
    this.tell();
  },

  tell() {
    for (const listener of this.listeners) listener(this.section, this.values);
  },

  get(name, fallback = "") {
    return this.values[name] ?? fallback;
  },
};

for (const event of ["hashchange", "popstate"]) {
  window.addEventListener(event, () => {
    address.read();
    address.tell();
    document.getElementById(address.section)?.scrollIntoView({ behavior: "instant" });
  });
}
