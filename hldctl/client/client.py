"""The sessions of one state directory, for Python programs.

The methods call the functions that the commands of the same name call, so both do the same. What only some methods
need is imported there: a program that lists sessions does not load what launches one.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

from hldctl.errors import BadUsage, TimedOut
from hldctl.paths import StateDirectory
from hldctl.sessions import lookup, spawn, supervisors
from hldctl.states import Status
from hldctl.store.database import open_database, open_for_reading
from hldctl.store.session import Session

if TYPE_CHECKING:
    from hldctl.client.launch_options import LaunchOptions
    from hldctl.contract.activity import ActivityObject
    from hldctl.store.approvals import Approval
    from hldctl.store.events import Event
    from hldctl.store.messages import Message
    from hldctl.store.search.matches import Match

_GRACE_SECONDS = 10.0
_COMMAND = "python"
"""How an answer is recorded that a program gave."""


class Client:
    """The sessions of one state directory.

    A session is named as on the command line: by its id, the beginning of the id, its name, or `last`. Times are
    milliseconds since 1970, UTC; durations are seconds. Methods raise a subclass of `hldctl.HldctlError` with a
    sentence that says what is wrong and what to do: `BadUsage`, `NoSuchSession`, `WrongState`, `UnfitEnvironment`, or
    `TimedOut`. A client can be used by several threads, and needs no closing.

    >>> client = hldctl.Client()
    >>> session = client.launch("Say hello.")
    >>> client.wait(session.id).status
    'completed'
    """

    def __init__(self, state_directory: str | os.PathLike[str] | None = None) -> None:
        """Use a state directory; by default `$HLDCTL_HOME`, as the command line does. Nothing is opened yet."""
        self._state = (
            StateDirectory.from_environment()
            if state_directory is None
            else StateDirectory(Path(state_directory).expanduser().absolute())
        )

    @property
    def state_directory(self) -> Path:
        """The directory that holds the sessions."""
        return self._state.root

    def launch(
        self,
        query: str,
        *,
        session_id: str | None = None,
        claude_arguments: Sequence[str] = (),
        **options: Unpack[LaunchOptions],
    ) -> Session:
        """Start a session, and return it once Claude Code runs or the session is queued.

        The options are those of `hldctl launch`, with underscores: `model="opus"`, `allowed_tools=["Read", "Edit"]`,
        `timeout=timedelta(minutes=30)`, `worktree=True`. `claude_arguments` are passed to Claude Code unchanged. With
        a `session_id`, a UUID, a second call returns the session of the first, so that a call can be repeated safely.
        Permission requests that nobody answers wait for ever, as with `hldctl launch`: pass `approvals`,
        `approval_timeout` or `allowed_tools`.

        >>> session = client.launch("Say hello.", model="haiku", title="Greeting")
        >>> session.title
        'Greeting'
        """
        from hldctl.client.option_values import parse_options
        from hldctl.client.umask import current_umask
        from hldctl.sessions import launch
        from hldctl.sessions.options import session_uuid

        chosen = parse_options(options, tuple(claude_arguments))
        launched = launch.launch(
            self._state,
            query,
            chosen,
            current_umask(),
            attended=False,
            session_id=None if session_id is None else session_uuid(session_id),
        )
        return self.session(launched.session_id)

    def continue_(
        self,
        session: str,
        query: str,
        *,
        session_id: str | None = None,
        claude_arguments: Sequence[str] = (),
        **options: Unpack[LaunchOptions],
    ) -> Session:
        """Start a session that continues the conversation of another, with its settings and these options.

        If the other one still runs, it is interrupted first. Arguments are as for `launch`.

        >>> first = client.launch("Say hello.")
        >>> second = client.continue_(first.id, "Say it louder.")
        >>> second.parent_session_id == first.id
        True
        """
        from hldctl.client.option_values import parse_options
        from hldctl.client.umask import current_umask
        from hldctl.sessions import resume
        from hldctl.sessions.options import session_uuid

        launched = resume.resume(
            self._state,
            session,
            query,
            parse_options(options, tuple(claude_arguments)),
            current_umask(),
            awaited=False,
            session_id=None if session_id is None else session_uuid(session_id),
        )
        return self.session(launched.session_id)

    def session(self, session: str) -> Session:
        """Return a session as it is now; raise NoSuchSession if there is none, or more than one.

        >>> client.session("last").status in ("starting", "running", "completed")
        True
        """
        with self._reading():
            found = lookup.find_session(session)
            supervisors.adopt_lost(self._state, [found.id])
            return lookup.find_session(found.id)

    def sessions(
        self,
        *,
        statuses: Sequence[Status | str] = (),
        archived: bool = False,
        directory: str | os.PathLike[str] | None = None,
        name: str | None = None,
        group: str | None = None,
        words: str | None = None,
        created_since: int | None = None,
        limit: int | None = None,
    ) -> list[Session]:
        """Return the sessions that match all filters, newest first.

        `directory` includes those below it, `words` are looked for in titles and queries, `created_since` is in
        milliseconds since 1970; archived sessions are left out unless `archived` is true.

        >>> [session.query for session in client.sessions(statuses=["completed"], limit=1)]
        ['Say hello.']
        """
        from hldctl.store.session_list import Listing, find_sessions

        listing = Listing(
            archived=archived,
            statuses=tuple(map(_status, statuses)),
            created_since=created_since,
            search=words,
            directory=None if directory is None else os.path.abspath(os.path.expanduser(directory)),
            name=name,
            group=group,
            limit=limit,
        )
        with self._reading():
            supervisors.adopt_all_lost(self._state)
            return find_sessions(listing)

    def wait(self, session: str, *, timeout: float | None = None, until: Status | str | None = None) -> Session:
        """Return the session once it has ended, or has the status `until`.

        Look at `status` and `end_reason` for how it ended: that it failed is not an error of the call. Raise TimedOut
        after `timeout` seconds; the session runs on.

        >>> client.wait(client.launch("Say hello.").id, timeout=60).result_content
        'Hello.'
        """
        (reached,) = self.wait_for([session], timeout=timeout, until=until)
        return reached

    def wait_for(
        self,
        sessions: Sequence[str],
        *,
        timeout: float | None = None,
        until: Status | str | None = None,
        any_of_them: bool = False,
    ) -> list[Session]:
        """Return the sessions once all have ended or have the status `until`, in the order in which they did.

        With `any_of_them`, return those that have as soon as there is one. Raise TimedOut after `timeout` seconds.

        >>> ids = [client.launch("Say hello.").id for _ in range(2)]
        >>> sorted(session.id for session in client.wait_for(ids)) == sorted(ids)
        True
        """
        from hldctl.sessions import wait

        with self._reading():
            ids = list(dict.fromkeys(lookup.find_session(ref).id for ref in sessions))
        reached = wait.wait_for_sessions(
            self._state,
            ids,
            until=None if until is None else _status(until),
            any_of_them=any_of_them,
            timeout_seconds=timeout,
        )
        if ids and not reached if any_of_them else len(reached) < len(ids):
            late = next(each for each in ids if each not in {session.id for session in reached})
            raise TimedOut(f"Session {late} has not ended after {timeout:g} seconds; it runs on.")
        return reached

    def send(
        self,
        session: str,
        text: str,
        *,
        interrupt: bool = False,
        wait: bool = False,
        timeout: float | None = None,
        message_id: str | None = None,
    ) -> Message:
        """Send a message to a running session, and return it once Claude Code has it.

        The model gets it at the end of the tool call that is running; with `interrupt`, its turn is ended first. With
        `wait`, return the message once it was answered, with the `answer`. Raise WrongState if the session has ended,
        TimedOut after `timeout` seconds.

        >>> chat = client.launch("Say hello.", keep_open=True)
        >>> client.send(chat.id, "Once more.", wait=True).answer
        'Hello.'
        >>> client.close(chat.id).status
        'completed'
        """
        from hldctl.sessions import send

        sent = send.send(self._state, session, text, interrupt=interrupt, message_id=message_id)
        wait_for = send.wait_until_answered if wait else send.wait_until_acknowledged
        return wait_for(self._state, sent, timeout)

    def close(self, session: str) -> Session:
        """End a session that is kept open after its turn, and return it; raise WrongState if it is not kept open.

        >>> chat = client.launch("Say hello.", keep_open=True)
        >>> client.close(chat.id).end_reason
        'success'
        """
        from hldctl.sessions.close import close_sessions

        with open_database(self._state):
            session_id = lookup.find_session(session).id
        close_sessions(self._state, [session_id])
        return self.session(session_id)

    def interrupt(
        self, session: str, *, turn: bool = False, tree: bool = False, grace: float = _GRACE_SECONDS
    ) -> Session:
        """Stop a session and all processes that it started, and return it once it has ended.

        What does not stop within `grace` seconds is killed. With `turn`, end only the current turn: the session goes
        to the next message. With `tree`, stop all that were launched within it, too. A session that has ended is
        returned as it is.

        >>> session = client.launch("Say hello.")
        >>> client.interrupt(session.id).completed_at is not None
        True
        """
        from hldctl.sessions import interrupt, send
        from hldctl.states import InputKind

        with open_database(self._state):
            session_id = lookup.find_session(session).id
        if turn:
            request = send.request(self._state, session_id, InputKind.INTERRUPT)
            send.wait_until_acknowledged(self._state, request)
        else:
            stop = interrupt.interrupt_trees if tree else interrupt.interrupt_sessions
            stop(self._state, [session_id], grace_seconds=grace)
        return self.session(session_id)

    def events(self, session: str, *, after: int = 0, follow: bool = False) -> Iterator[Event]:
        """Yield the events of a conversation after the number `after`; with `follow`, then new ones until it ends.

        Other methods may be called between two events. `sequence` is the number to continue after.

        >>> session = client.launch("Say hello.")
        >>> [event.content for event in client.events(session.id, follow=True) if event.role == "assistant"]
        ['Hello.']
        """
        from hldctl.client.follow import follow_events

        return follow_events(self._state, self.session(session).id, after, follow=follow)

    def activity(self, session: str) -> ActivityObject | None:
        """Return what a session is doing, as the JSON of `hldctl ls` has it; None if it has ended.

        >>> ended = client.wait(client.launch("Say hello.").id)
        >>> client.activity(ended.id) is None
        True
        """
        from hldctl.sessions.inspect.activity import activity_object, load_activities

        with self._reading():
            return activity_object(load_activities().get(lookup.find_session(session).id))

    def approvals(self, session: str | None = None, *, answered_too: bool = False) -> list[Approval]:
        """Return the requests that wait for an answer, of one session or of all; with `answered_too`, others as well.

        >>> session = client.launch("Say hello.", approvals=True)
        >>> client.approvals(session.id)
        []
        """
        from hldctl.sessions.permissions import answers

        with self._reading():
            ids = [] if session is None else [lookup.find_session(session).id]
        return answers.list_requests(self._state, ids, answered_too=answered_too)

    def approve(
        self,
        approval: str,
        *,
        comment: str | None = None,
        always: bool = False,
        updated_input: Mapping[str, Any] | None = None,
    ) -> Approval:
        """Allow a request, by its id or the beginning of it, and return it.

        With `always`, similar calls are allowed for the rest of the session. `updated_input` replaces the tool's input.
        Raise WrongState if it was answered already.

        >>> asking = client.launch("Touch a file.", approvals=True)
        >>> waiting = client.wait(asking.id, until="waiting_input")
        >>> client.approve(client.approvals(asking.id)[0].id).status
        'approved'
        """
        from hldctl.sessions.permissions.answers import Decision, answer_request

        changed = None if updated_input is None else dict(updated_input)
        decision = Decision(allows=True, comment=comment, updated_input=changed, always=always)
        return answer_request(self._state, approval, decision, _COMMAND)

    def deny(self, approval: str, comment: str | None = None, *, interrupt: bool = False) -> Approval:
        """Deny a request and return it; the model gets the comment. With `interrupt`, its turn ends.

        >>> asking = client.launch("Touch a file.", approvals=True)
        >>> waiting = client.wait(asking.id, until="waiting_input")
        >>> client.deny(client.approvals(asking.id)[0].id, "Not here.").status
        'denied'
        """
        from hldctl.sessions.permissions.answers import Decision, answer_request

        return answer_request(
            self._state, approval, Decision(allows=False, comment=comment, interrupts=interrupt), _COMMAND
        )

    def answer(self, approval: str, *choices: str, questions: Mapping[int, Sequence[str]] | None = None) -> Approval:
        """Answer a question of the model by the number or the text of choices, or by free text, and return it.

        A request with several questions is answered by `questions`: the choices by the number of the question, from 1.

        >>> asking = client.launch("Ask me something.", approvals=True)
        >>> waiting = client.wait(asking.id, until="waiting_input")
        >>> client.answer(client.approvals(asking.id)[0].id, "2").status
        'approved'
        """
        from hldctl.sessions.permissions.question_answers import answer_question

        return answer_question(self._state, approval, choices, dict(questions or {}), _COMMAND)

    def search(
        self,
        text: str,
        *,
        session: str | None = None,
        role: str | None = None,
        tool: str | None = None,
        since: int | None = None,
        limit: int | None = None,
    ) -> list[Match]:
        """Return the events of all conversations that contain the words of a text, newest first.

        Words in quotation marks are a phrase, `*` after a word stands for any continuation. `since` is in milliseconds
        since 1970; `role` is `user`, `assistant` or `system`; `tool` finds calls of a tool and their results. Without
        an index, the first search builds one and waits for it.

        >>> ended = client.wait(client.launch("Say hello.").id)
        >>> [match.excerpt for match in client.search("hello", role="assistant")]
        ['Hello.']
        """
        from hldctl.sessions.inspect import search
        from hldctl.store.search.matches import Filters

        with self._reading():
            session_id = None if session is None else lookup.find_session(session).id
            filters = Filters(session_id=session_id, role=role, tool=tool, since=since)
            with closing(search.search(self._state, text, filters)) as matches:
                return list(islice(matches, limit))

    def _reading(self) -> AbstractContextManager[None]:
        """Open the database, in a program that may have launched sessions that have ended."""
        spawn.reap()
        return open_for_reading(self._state)


def _status(value: Status | str) -> Status:
    try:
        return Status(value)
    except ValueError:
        raise BadUsage(f"{value!r} is not a status; use one of {', '.join(Status)}.") from None
