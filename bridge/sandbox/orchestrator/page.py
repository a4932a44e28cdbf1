"""The page at `/`: the newest tasks, for somebody who wants to watch the bridge at work. Nothing is loaded from elsewhere."""

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'; img-src data:"
)

PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Orchestrator sandbox</title>
<link rel="icon" href="data:,">
<style>
  :root { color-scheme: light dark; --line: light-dark(#e4e4e7, #2e2e33); --soft: light-dark(#71717a, #a1a1aa);
    --back: light-dark(#fafafa, #18181b); --card: light-dark(#fff, #1f1f23);
    --open: light-dark(#b45309, #fbbf24); --done: light-dark(#15803d, #4ade80); --high: light-dark(#b91c1c, #f87171); }
  body { margin: 0; padding: 2.5rem clamp(1rem, 4vw, 4rem); background: var(--back);
    font: 15px/1.5 system-ui, sans-serif; }
  header { display: flex; flex-wrap: wrap; gap: .25rem 1rem; align-items: baseline; margin-bottom: 1.25rem; }
  h1 { font-size: 1.25rem; font-weight: 600; margin: 0; }
  header p, .none { color: var(--soft); margin: 0; }
  .card { background: var(--card); border: 1px solid var(--line); border-radius: 10px; overflow-x: auto; }
  table { width: 100%; border-collapse: collapse; }
  th, td { text-align: left; padding: .55rem .9rem; border-bottom: 1px solid var(--line); white-space: nowrap; }
  th { color: var(--soft); font-size: .8rem; font-weight: 500; }
  tbody tr:last-child td { border-bottom: 0; }
  td.title { white-space: normal; min-width: 16rem; overflow-wrap: anywhere; }
  td.id, td.created { font-variant-numeric: tabular-nums; color: var(--soft); }
  td.status { font-weight: 500; color: var(--open); }
  tr.completed td.status { color: var(--done); }
  tr.high td.priority, tr.critical td.priority { color: var(--high); }
  .none { padding: 2rem; text-align: center; }
</style>
</head>
<body>
<header><h1>Orchestrator sandbox</h1><p id="summary" role="status">Loading…</p></header>
<div class="card">
  <table hidden>
    <thead><tr><th>Id</th><th>Title</th><th>Tag</th><th>Priority</th><th>Status</th><th>Folder</th><th>Created</th></tr>
    </thead>
    <tbody></tbody>
  </table>
  <p class="none" hidden>No tasks yet. They appear here as soon as one is created.</p>
</div>
<script>
  const table = document.querySelector("table"), body = document.querySelector("tbody");
  const none = document.querySelector(".none"), summary = document.getElementById("summary");
  const columns = ["id", "title", "tag", "priority", "status", "folder", "created"];

  function shown(task, column) {
    if (column === "created") return new Date(task.created).toLocaleString();
    if (column === "status" && task.action) return `${task.status} (${task.action})`;
    return task[column] ?? "";
  }

  function row(task) {
    const tr = document.createElement("tr");
    tr.className = `${task.status} ${task.priority}`.toLowerCase();
    for (const column of columns) {
      const td = tr.insertCell();
      td.className = column;
      td.textContent = shown(task, column);
    }
    return tr;
  }

  async function refresh() {
    try {
      const { tasks, count } = await (await fetch("sandbox/tasks")).json();
      body.replaceChildren(...tasks.map(row));
      table.hidden = tasks.length === 0;
      none.hidden = tasks.length > 0;
      const rest = count > tasks.length ? `, the newest ${tasks.length} shown` : "";
      summary.textContent = `${count} ${count === 1 ? "task" : "tasks"}${rest}`;
    } catch {
      summary.textContent = "The sandbox does not answer.";
    }
    setTimeout(refresh, 2000);
  }
  refresh();
</script>
</body>
</html>
"""
