// Sets the chosen theme before anything is drawn. A classic script on purpose: modules wait for the document.

(() => {
  let chosen = null;
  try {
    chosen = localStorage.getItem("gavel.theme");
  } catch {
    // without storage the system's preference holds
  }
  if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
})();
