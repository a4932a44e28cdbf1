"""What is said of issues."""

from starlette.responses import Response

from bridge.sandbox.jira import setting, shapes
from bridge.sandbox.jira.failures import Failure
from bridge.sandbox.jira.issues import Comment, Issue
from bridge.sandbox.jira.operation import Call, Operation, json_response, no_content

MOST_AT_ONCE = 5000


def comments(call: Call) -> Response:
    """A page of an issue's comments, the oldest first."""
    most = min(call.whole("maxResults", MOST_AT_ONCE), MOST_AT_ONCE)
    return json_response(shapes.comments(call, call.issue(), call.whole("startAt", 0), most))


def comment(call: Call) -> Response:
    """One of them."""
    issue, said = _comment(call)
    return json_response(shapes.comment(call, issue, said))


def add(call: Call) -> Response:
    """Say something."""
    issue = call.issue()
    call.jira.comment(issue, setting.comment_text(call, call.json()), by=call.user)
    return json_response(shapes.comment(call, issue, issue.comments[-1]), 201)


def change(call: Call) -> Response:
    """Say it otherwise."""
    issue, said = _comment(call)
    call.jira.reword(issue, said, setting.comment_text(call, call.json()), by=call.user)
    return json_response(shapes.comment(call, *_comment(call)))


def delete(call: Call) -> Response:
    """Delete a comment."""
    issue, said = _comment(call)
    call.jira.unsay(issue, said, by=call.user)
    return no_content()


def _comment(call: Call) -> tuple[Issue, Comment]:
    issue = call.issue()
    for said in issue.comments:
        if said.id == call.path("id"):
            return issue, said
    raise Failure(404, f"Can not find a comment for the id: {call.path('id')}.")


OPERATIONS = (
    Operation("comments", "GET", "issue/{issue}/comment", comments),
    Operation("comment.add", "POST", "issue/{issue}/comment", add, needs="ADD_COMMENTS"),
    Operation("comment", "GET", "issue/{issue}/comment/{id}", comment),
    Operation("comment.change", "PUT", "issue/{issue}/comment/{id}", change, needs="ADD_COMMENTS"),
    Operation("comment.delete", "DELETE", "issue/{issue}/comment/{id}", delete, needs="ADD_COMMENTS"),
)
