// Without this script the page works as well; with it, what is marked data-live stays up to date with the address in the mark.
const EVERY = 2000;
const SHARE = 10; // of its time the server spends on this page: one that is slow to answer is asked less often

let since = new Date();

async function refresh() {
  const began = performance.now();
  const shown = document.querySelector("[data-live]");
  try {
    const answer = await fetch(shown.dataset.live, { headers: { Accept: "text/html" } });
    if (answer.status === 401) return location.reload();
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    const now = fresh.getElementById(shown.id);
    if (!answer.ok || !now) throw new Error(answer.status);
    const marked = !document.getSelection().isCollapsed;
    if (!marked && now.outerHTML !== shown.outerHTML) replace(shown, now);
    since = new Date();
    tell("");
  } catch {
    tell(`Not up to date since ${since.toLocaleTimeString()}: the server does not answer as it should.`);
  }
  setTimeout(refresh, Math.max(EVERY, SHARE * (performance.now() - began)));
}

// What was last known stays, and this line says how old it is.
function tell(complaint) {
  const line = document.getElementById("stale");
  if (line.textContent !== complaint) line.textContent = complaint;
}

// Who stands on a link with the keyboard stays on it.
function replace(shown, now) {
  const focused = document.activeElement;
  const inside = shown.contains(focused);
  shown.replaceWith(now);
  if (inside) document.getElementById(focused.id)?.focus({ preventScroll: true });
}

if (document.querySelector("[data-live]")) setTimeout(refresh, EVERY);
