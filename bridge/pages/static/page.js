// Without this script the page works as well; with it, what is marked data-live stays up to date with the address in the mark.
const EVERY = 2000;

async function refresh() {
  const shown = document.querySelector("[data-live]");
  try {
    const answer = await fetch(shown.dataset.live, { headers: { Accept: "text/html" } });
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    const now = fresh.getElementById(shown.id);
    const marked = !document.getSelection().isCollapsed;
    if (now && !marked && now.outerHTML !== shown.outerHTML) replace(shown, now);
  } catch {
    // The server is away: what was last known stays.
  }
  setTimeout(refresh, EVERY);
}

// Who stands on a link with the keyboard stays on it.
function replace(shown, now) {
  const focused = document.activeElement;
  const inside = shown.contains(focused);
  shown.replaceWith(now);
  if (inside) document.getElementById(focused.id)?.focus({ preventScroll: true });
}

if (document.querySelector("[data-live]")) setTimeout(refresh, EVERY);
