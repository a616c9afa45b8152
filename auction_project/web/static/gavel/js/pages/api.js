// The page of the API: Swagger UI follows the theme. It has a class for its dark mode and looks at no preference itself.

const root = document.documentElement;
const system = matchMedia("(prefers-color-scheme: dark)");

function follow() {
  const chosen = root.dataset.theme;
  root.classList.toggle("dark-mode", chosen ? chosen === "dark" : system.matches);
}

new MutationObserver(follow).observe(root, { attributeFilter: ["data-theme"] });
system.addEventListener("change", follow);
follow();
