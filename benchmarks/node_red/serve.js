// `node serve.js MODULES FOLDER ORCHESTRATOR`: Node-RED, wired as its users would wire it: http in → function → http request.
//
// A webhook is answered at once, and the tasks' ids are kept in the flow's memory, which is its default. Signatures are not looked at.
"use strict";

const fs = require("fs");
const http = require("http");
const path = require("path");

const [modules, folder, orchestrator] = process.argv.slice(2);
const RED = require(path.join(modules, "node-red"));

const CALLS = `
const headers = { authorization: "Bearer t", "content-type": "application/json" };
const call = (name, payload, ticket) => ({
    method: "POST", url: "${orchestrator}/tasks/GenericTasks/" + name, headers, payload, ticket
});
`;

const WEBHOOK = `${CALLS}
const { id, fields } = msg.payload.issue, tasks = flow.get("tasks");
const answer = { req: msg.req, res: msg.res, statusCode: 202, payload: {} };
if (fields.status.statusCategory.key !== "done") {
    const task = { type: "ExternalTask", title: fields.summary, priority: "High", data: { description: fields.description } };
    return [answer, call("CreateTask", task, id)];
}
if (tasks.has(id)) {
    return [answer, call("CompleteTask", { taskId: tasks.get(id) })];
}
tasks.set(id, null);
return [answer, null];
`;

const ANSWERED = `${CALLS}
if (msg.ticket === undefined) {
    return null;
}
const tasks = flow.get("tasks"), isClosed = tasks.has(msg.ticket), { id } = JSON.parse(msg.payload);
tasks.set(msg.ticket, id);
return isClosed ? call("CompleteTask", { taskId: id }) : null;
`;

const flow = [
    { id: "bridge", type: "tab", label: "Tickets to tasks" },
    { id: "in", z: "bridge", type: "http in", url: "/hooks/jira", method: "post", upload: false, wires: [["webhook"]] },
    { id: "webhook", z: "bridge", type: "function", func: WEBHOOK, outputs: 2, initialize: "flow.set('tasks', new Map());",
      finalize: "", libs: [], wires: [["answer"], ["request"]] },
    { id: "answer", z: "bridge", type: "http response", headers: {}, wires: [] },
    { id: "request", z: "bridge", type: "http request", method: "use", ret: "txt", paytoqs: "ignore", url: "", tls: "",
      persist: true, proxy: "", authType: "", senderr: false, headers: [], wires: [["answered"]] },
    { id: "answered", z: "bridge", type: "function", func: ANSWERED, outputs: 1, initialize: "", finalize: "", libs: [],
      wires: [["request"]] },
];
fs.writeFileSync(path.join(folder, "flows.json"), JSON.stringify(flow));

const server = http.createServer((incoming, answer) => RED.httpNode(incoming, answer));
RED.init(server, {
    userDir: folder, flowFile: "flows.json", credentialSecret: false, httpAdminRoot: false, httpNodeRoot: "/", disableEditor: true,
    telemetry: { enabled: false }, logging: { console: { level: "error", metrics: false, audit: false } },
});
RED.runtime.events.once("flows:started", () => server.listen(0, "127.0.0.1", () => {
    const url = `http://127.0.0.1:${server.address().port}`;
    process.stderr.write(`${JSON.stringify({ event: "listening", url })}\n`);
}));
RED.start();
