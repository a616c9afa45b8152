"""What is wrong with a page for those who do not see it, or see it in a narrow window: a script that lists it."""

CHECK = """() => {
  const shown = (e) => e.checkVisibility({visibilityProperty: true});
  const name = (e) => (e.getAttribute("aria-label")
    || (e.getAttribute("aria-labelledby") || "").split(" ").map((id) => document.getElementById(id)?.textContent ?? "").join(" ")
    || [...(e.labels ?? [])].map((l) => l.textContent).join(" ") || (e.matches("a, button, summary") ? e.textContent : "")
    || e.querySelector?.("img[alt]")?.alt || "").trim();
  const flaws = [];
  for (const e of document.querySelectorAll("a[href], button, input:not([type=hidden]), select, textarea, summary"))
    if (shown(e) && !name(e)) flaws.push(`no name: ${e.outerHTML.slice(0, 120)}`);
  for (const e of document.querySelectorAll("img")) if (!e.hasAttribute("alt")) flaws.push(`no alt: ${e.outerHTML.slice(0, 120)}`);
  for (const e of document.querySelectorAll("svg"))
    if (!e.closest("[aria-hidden=true]") && e.getAttribute("role") !== "img") flaws.push(`no role: ${e.outerHTML.slice(0, 120)}`);
  const ids = [...document.querySelectorAll("[id]")].map((e) => e.id);
  for (const id of new Set(ids.filter((id, i) => ids.indexOf(id) !== i))) flaws.push(`id twice: ${id}`);
  for (const e of document.querySelectorAll("[aria-labelledby], [aria-describedby]"))
    for (const id of `${e.getAttribute("aria-labelledby") ?? ""} ${e.getAttribute("aria-describedby") ?? ""}`.split(" ").filter(Boolean))
      if (!document.getElementById(id)) flaws.push(`refers to nothing: ${id}`);
  const levels = [...document.querySelectorAll("h1, h2, h3, h4")].filter(shown).map((e) => Number(e.tagName[1]));
  if (levels.filter((level) => level === 1).length !== 1) flaws.push(`h1: ${levels}`);
  levels.forEach((level, i) => { if (i && level > levels[i - 1] + 1) flaws.push(`headings jump: ${levels}`); });
  for (const tag of ["header", "nav", "main", "footer"]) if (document.querySelectorAll(tag).length < 1) flaws.push(`no ${tag}`);
  if (!document.documentElement.lang) flaws.push("no language");
  for (const e of document.querySelectorAll(".stacked")) if (e.scrollWidth > e.parentElement.clientWidth + 1) flaws.push(`cut: ${e.caption.textContent}`);
  for (const e of document.querySelectorAll(".lot-card, .lot-figures > div")) if (e.scrollWidth > e.clientWidth + 1) flaws.push(`cut: ${e.textContent}`);
  const lines = (e) => { const text = document.createRange(); text.selectNodeContents(e); return text.getClientRects().length; };
  for (const e of document.querySelectorAll(".log time")) if (lines(e) > 1) flaws.push(`two lines: ${e.textContent}`);
  for (const e of document.querySelectorAll(".order-card h2")) if (e.offsetWidth < innerWidth / 2) flaws.push(`squeezed: ${e.textContent}`);
  for (const e of document.querySelectorAll(".menu a")) if (e.getBoundingClientRect().right > innerWidth) flaws.push(`off the screen: ${e.textContent}`);
  if (document.documentElement.scrollWidth > innerWidth + 1) flaws.push(`wider than the window: ${document.documentElement.scrollWidth}`);
  return flaws;
}"""
