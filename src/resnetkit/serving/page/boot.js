// Before anything is painted: the theme and the language that were chosen last, so that neither flashes.
(() => {
  const stored = (name) => {
    try {
      return localStorage.getItem(`resnetkit.${name}`);
    } catch {
      return null; // storage may be closed to this page
    }
  };
  const root = document.documentElement;
  const theme = stored("theme");
  if (theme === "light" || theme === "dark") root.dataset.theme = theme;
  const language = stored("language") ?? (navigator.language.startsWith("zh") ? "zh" : "en");
  root.lang = language === "zh" ? "zh-Hans" : "en";
})();
