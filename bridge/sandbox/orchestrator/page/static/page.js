// Without this script the page works as well; with it, what is marked data-live stays up to date.
const EVERY = 2000;

async function refresh() {
  try {
    const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const shown of document.querySelectorAll("[data-live]")) {
      const now = fresh.getElementById(shown.id);
      const used = shown.contains(document.activeElement) || !document.getSelection().isCollapsed;
      if (now && !used && now.outerHTML !== shown.outerHTML) shown.replaceWith(now);
    }
  } catch {
    // The sandbox is away: what was last known stays.
  }
  setTimeout(refresh, EVERY);
}
setTimeout(refresh, EVERY);
