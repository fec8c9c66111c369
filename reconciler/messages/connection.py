"""TC70x and TC71x: the way to the service, and its responses."""

from __future__ import annotations

from reconciler.messages.entry import Entry, Message
from reconciler.model.codes import Code

_AGAIN = "Run the same command again. If the problem persists, check the network and --backend."
_NOT_PULUMI = "Check that --backend is the address of a Pulumi Cloud service."
_NOTHING_DECIDED = (
    "The list cannot prove that a task does not exist, so nothing was decided from it. Run the"
    " same command again; if the problem persists, report it to the operator of the service."
)
_EXPORT = "export PULUMI_ACCESS_TOKEN=..."

ENTRIES = {
    Code.UNREACHABLE: Entry(
        title="Cannot connect to the service",
        why="No connection to the backend could be opened, so nothing was sent.",
        fix="Check the address given with `--backend` and that this machine can reach it. Behind a"
        " company proxy, set `HTTPS_PROXY`.",
        cases={
            "refused": Message(
                "{where:at}connection refused",
                "Nothing listens at this address. Check --backend, and that the service runs.",
            ),
            "name": Message(
                "{where:at}cannot resolve the host name",
                "Check --backend for a typing error, and that this machine can resolve names.",
            ),
            "timeout": Message("{where:at}timed out while connecting", _AGAIN),
            "late": Message(
                "{where:at}the connection was not ready in time, so the request was not sent",
                _AGAIN,
            ),
            "tls": Message(
                "{where:at}the TLS handshake failed ({reason})",
                "Check that the address uses https and that no proxy interferes.",
            ),
        },
    ),
    Code.CERTIFICATE: Entry(
        title="Certificate not trusted",
        why="The certificate that the service or a proxy presented cannot be verified, so neither"
        " the token nor anything else was sent.",
        fix="If a company proxy or a self-hosted service uses its own certificate authority, set"
        " `REQUESTS_CA_BUNDLE` to its PEM file.",
        cases={
            "": Message(
                "{where:at}the certificate cannot be verified ({reason})",
                "If a proxy or a self-hosted service uses its own certificate authority, name its"
                " PEM file:",
                "export REQUESTS_CA_BUNDLE=/path/to/ca.pem",
            ),
            "no-bundle": Message(
                "{name}: {path} does not exist",
                "Set it to a PEM file of certificate authorities, or unset it.",
            ),
        },
    ),
    Code.PROXY: Entry(
        title="Proxy problem",
        why="The proxy named by `HTTPS_PROXY`, `https_proxy` or `ALL_PROXY` did not open a"
        " connection to the service.",
        fix="Correct the variable, or add the service's host to `NO_PROXY`. Percent-encode special"
        " characters in its user name and password (`/` is `%2F`).",
        cases={
            "": Message(
                "{where:at}the proxy did not open a connection ({reason})",
                "Correct HTTPS_PROXY, https_proxy or ALL_PROXY, or add the service's host to"
                " NO_PROXY.",
            ),
            "login": Message(
                "{where:at}the proxy requires a user name and a password ({answer})",
                "Set HTTPS_PROXY to http://USER:PASSWORD@HOST:PORT.",
            ),
            "socks": Message(
                "{proxy}: SOCKS proxies are not supported",
                "Set HTTPS_PROXY to an http:// proxy, or add the service's host to NO_PROXY.",
            ),
            "invalid": Message(
                "the proxy address in the environment is not a valid URL",
                "Correct HTTPS_PROXY, https_proxy or ALL_PROXY. Percent-encode special characters"
                " in the user name and the password: `/` is %2F, `@` is %40.",
            ),
        },
    ),
    Code.NO_RESPONSE: Entry(
        title="No complete response",
        why="A request was sent, but its response did not arrive or was incomplete. The service may"
        " have processed the request.",
        fix="Run the same command again. A create is looked up before it is ever sent again.",
        cases={
            "timeout": Message("{where:at}timed out waiting for the response", _AGAIN),
            "reset": Message("{where:at}the connection was reset", _AGAIN),
            "cut": Message("{where:at}the response was cut off", _AGAIN),
            "large": Message("{where:at}the response is larger than {limit} MiB", _NOT_PULUMI),
            "other": Message("{where:at}the connection failed ({reason})", _AGAIN),
        },
    ),
    Code.UNAUTHORIZED: Entry(
        title="Access token rejected",
        why="The service did not accept the access token (401).",
        fix="The token may have expired or belong to another backend. Create one in the service's"
        " console and set `PULUMI_ACCESS_TOKEN`.",
        cases={
            "": Message(
                "{where:at}the access token was rejected ({answer})",
                "It may have expired, or belong to another backend. Create one in the service's"
                " console and set it:",
                _EXPORT,
            )
        },
    ),
    Code.FORBIDDEN: Entry(
        title="Not allowed",
        why="The owner of the access token may not do this (403).",
        fix="The owner must be a member of the organization, and agent tasks must be enabled there."
        " Use another token, or another organization with `--org`.",
        cases={
            "": Message(
                "{where:at}not allowed with this access token ({answer})",
                "Its owner must be a member of the organization, and agent tasks must be enabled"
                " there. Use another PULUMI_ACCESS_TOKEN, or pass --org.",
            )
        },
    ),
    Code.NOT_FOUND: Entry(
        title="Not found",
        why="The service knows nothing at this address, or does not show it to this token (404).",
        fix="Check the organization, the task id and the backend. A task is visible only to its"
        " creator until it is shared.",
        cases={
            "task": Message(
                "{where:at}task not found, or not visible to this token ({answer})",
                "A task is visible only to its creator until it is shared, and only its creator may"
                " change it. Use the creator's token.",
            ),
            "organization": Message(
                "{where:at}organization {org:q} not found, or without agent tasks ({answer})",
                "Check orgName and --org, that the token's owner is a member, and --backend: a"
                " self-hosted service may not have agent tasks.",
            ),
            "": Message("{where:at}not found ({answer})", _NOT_PULUMI),
        },
    ),
    Code.RATE_LIMITED: Entry(
        title="Rate limited",
        why="The service kept asking to slow down (429).",
        fix="Run the same command again later, with a lower `--parallelism`.",
        cases={
            "": Message(
                "{where:at}rate limited ({answer})",
                "Run the same command again in a few minutes, with a lower --parallelism.",
            ),
            "seconds": Message(
                "{where:at}rate limited ({answer})",
                "Run the same command again in {seconds} seconds, with a lower --parallelism.",
            ),
        },
    ),
    Code.SERVICE_FAILED: Entry(
        title="The service failed",
        why="The service, or a proxy in front of it, answered with an error of its own (5xx).",
        fix="Run the same command again. If it persists, see https://status.pulumi.com and give the"
        " request id to the operator of the service.",
        cases={
            "": Message(
                "{where:at}the service failed ({answer})",
                "Run the same command again. If it persists, see https://status.pulumi.com, and"
                " give the request id to the operator of the service.",
            )
        },
    ),
    Code.REQUEST_REJECTED: Entry(
        title="Request rejected",
        why="The service rejected a request (4xx).",
        fix="Correct what its message names, and run the same command again.",
        cases={
            "": Message(
                "{where:at}the service rejected the {method} ({answer})",
                "Correct what its message names, and run the same command again.",
            )
        },
    ),
    Code.NOT_THE_SERVICE: Entry(
        title="Not a response of the service",
        why="Something other than the service answered, such as a proxy or a login page.",
        fix="Check `--backend` and the proxy variables (`HTTPS_PROXY`, `NO_PROXY`).",
        cases={
            "": Message(
                "{where:at}not a JSON response ({answer})",
                "A proxy, a login page or another server answered instead of the service. Check"
                " --backend and the proxy variables (HTTPS_PROXY, NO_PROXY).",
            )
        },
    ),
    Code.REDIRECTED: Entry(
        title="Redirect not followed",
        why="The service redirected a request. A token is sent only to the address it is meant for,"
        " so redirects are never followed.",
        fix="If the service has moved, pass its new address with `--backend`.",
        cases={
            "": Message(
                "{where:at}redirect ({status}) to {target} not followed",
                "A token is sent only to the address it is meant for. If the service has moved,"
                " pass its new address with --backend.",
            )
        },
    ),
    Code.UNREADABLE_RESPONSE: Entry(
        title="Unreadable response",
        why="The response is JSON, but lacks what the API promises: nothing was decided from it.",
        fix="Check that `--backend` is the address of a Pulumi Cloud service, and that no proxy"
        " rewrites responses.",
        cases={
            "user": Message("{where:at}the response has no user id", _NOT_PULUMI),
            "task": Message("{where:at}the response has no task id", _NOT_PULUMI),
            "other-task": Message("{where:at}the response is about another task", _NOT_PULUMI),
            "list": Message("{where:at}the response has no list of {name}", _NOT_PULUMI),
            "events": Message(
                "{where:at}the events do not show what the task was created with",
                "They are not in ascending order, or the first message is unreadable.",
            ),
            "organization": Message(
                "{where:at}the default organization is not a valid organization name",
                "Set `orgName` in the manifest, or pass --org.",
            ),
        },
    ),
    Code.UNREADABLE_LIST: Entry(
        title="Unreadable list",
        why="A list with missing, unreadable or misordered entries cannot prove that a task does"
        " not exist. Treating it as complete could start an agent twice.",
        fix="Run the same command again. If the problem persists, check that no proxy rewrites"
        " responses, and report it to the operator of the service.",
        cases={
            "entry": Message("{where:at}an entry of the list is unreadable", _NOTHING_DECIDED),
            "order": Message("{where:at}the list is not in the requested order", _NOTHING_DECIDED),
            "circle": Message(
                "{where:at}the list does not end: a continuation token was repeated",
                _NOTHING_DECIDED,
            ),
            "endless": Message(
                "{where:at}the list does not end: {pages} pages without a new entry",
                _NOTHING_DECIDED,
            ),
        },
    ),
    Code.IMPLAUSIBLE_DATE: Entry(
        title="Implausible date",
        why="A response has a `Date` that is far from this machine's clock. No wait depends on it.",
        fix="Check this machine's clock and the clocks of proxies in between.",
        cases={
            "": Message(
                "ignored the date of a response, {date:q}: it is too far from this machine's clock",
                "Check this machine's clock and those of proxies. Until they agree, ages are"
                " measured by this machine's clock only.",
            )
        },
    ),
}
