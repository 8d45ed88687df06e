// Light and dark: what the system says, until the reader says otherwise.

// Okabe & Ito's colours, made lighter on dark ground; the same order as in the PNG plots.
const PALETTES = {
  light: ["#0072b2", "#d55e00", "#00805f", "#b0588c", "#3a9bd0", "#a97300", "#6b6b6b"],
  dark: ["#5ab4e5", "#ff9b52", "#3fcf9f", "#e79cc4", "#9bd5f5", "#f0c04a", "#b5b5b5"],
};

const theme = {
  listeners: [],
  dark: false,

  start() {
    const system = matchMedia("(prefers-color-scheme: dark)");
    this.dark = this.kept() === null ? system.matches : this.kept() === "dark";
    system.addEventListener("change", (event) => this.kept() === null && this.turn(event.matches));
    const button = document.getElementById("theme");
    button.addEventListener("click", () => {
      this.turn(!this.dark);
      try {
        localStorage.setItem("noisygrpo-theme", this.dark ? "dark" : "light");
      } catch { /* a page on disk may not be allowed to keep anything */ }
    });
    this.turn(this.dark);
  },

  kept() {
    try {
      return localStorage.getItem("noisygrpo-theme");
    } catch {
      return null;
    }
  },

  turn(dark) {
    this.dark = dark;
    document.documentElement.dataset.theme = dark ? "dark" : "light";
    document.getElementById("theme").textContent = dark ? "Light" : "Dark";
    for (const listener of this.listeners) listener();
  },

  color(number) {
    const palette = PALETTES[this.dark ? "dark" : "light"];
    return palette[number % palette.length];
  },

  value(name) {
    return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  },
};
