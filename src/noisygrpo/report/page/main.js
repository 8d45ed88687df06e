// Putting the page together.

let report = null;

const SECTIONS = [
  ["overview", "What was run", overviewSection], ["curves", "Curves", curvesSection], ["levels", "Noise levels", levelsSection],
  ["rollouts", "Rollouts", explorerSection], ["samples", "Samples", samplesSection],
];

async function start() {
  theme.start();
  startCharts();
  const main = document.getElementById("main");
  if (typeof DecompressionStream === "undefined") throw new Error("this browser is too old to unpack the data");
  report = await store.get("index");
  if (!report) throw new Error("the page's data is not there; was the folder beside it moved?");
  const shown = SECTIONS.map(([id, name, make]) => [id, name, make()]).filter(([, , element]) => element);
  fill(document.getElementById("nav"), shown.map(([id, name]) => h("a", { href: `#${id}` }, name)));
  fill(main, shown.map(([, , element]) => element),
    h("footer", { class: "hint" }, h("p", {}, `Made by noisygrpo ${report.version} on ${visible(report.made)}.`)));
  startKeys();
  followSections(shown.map(([, , element]) => element));
  address.read();
  address.tell();
  await Promise.all([explorer, samples].map((one) => (one.parts ? one.drawn : null)));
  if (address.section) document.getElementById(address.section)?.scrollIntoView({ behavior: "instant" });
  document.documentElement.dataset.ready = "yes";
}

/** The link of the section that is in sight is marked. */
function followSections(sections) {
  const links = [...document.querySelectorAll("#nav a")];
  const seen = new IntersectionObserver((entries) => {
    for (const entry of entries.filter((one) => one.isIntersecting)) {
      for (const link of links) link.setAttribute("aria-current", String(link.hash === `#${entry.target.id}`));
    }
  }, { rootMargin: "-20% 0px -70% 0px" });
  sections.forEach((section) => seen.observe(section));
}

start().catch((error) => {
  fill(document.getElementById("main"), h("p", { role: "alert" }, `The report cannot be shown: ${error.message}`));
  throw error;
});
