# The image of a release: `make release`, then `docker build .`. It works as any user, without HOME, in
# a workspace that belongs to another user:
#
#   docker run --rm --user "$(id -u):$(id -g)" --env PULUMI_ACCESS_TOKEN \
#     --volume "$PWD:/workspace" taskctl plan
#
# For a state in PostgreSQL: `docker build --build-arg WITH=postgresql .`, which adds a driver under
# the LGPL. No image has been built from this file yet.
FROM python:3.13-slim@sha256:7c61056e61ac89e852de05f3dc6fa51a6dd2181797bceed46aa725dd7cb2cd3b AS build
ARG WITH=
COPY requirements*.txt script/environment.sh dist/taskctl-*.whl /build/
# The packages are checked against their hashes; the wheel is the one of the release. bin/taskctl
# starts isolated, as with script/install: GitLab ignores an entry point.
RUN python -m venv --without-pip /opt/taskctl \
    && python -m pip --python /opt/taskctl/bin/python install --no-cache-dir --no-compile \
      --require-hashes --requirement /build/requirements.txt \
      ${WITH:+--requirement "/build/requirements-$WITH.txt"} \
    && python -m pip --python /opt/taskctl/bin/python install --no-cache-dir \
      --no-index --no-deps /build/taskctl-*.whl \
    && { echo '#!/bin/sh'; cat /build/environment.sh; \
      echo 'exec /opt/taskctl/bin/python -I -m reconciler "$@"'; } >/opt/taskctl/bin/taskctl \
    && /opt/taskctl/bin/python -m compileall -q /opt/taskctl

FROM python:3.13-slim@sha256:7c61056e61ac89e852de05f3dc6fa51a6dd2181797bceed46aa725dd7cb2cd3b
# git is for a state in git. A version of it would soon be gone from the archive.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates git openssh-client \
    && rm -rf /var/lib/apt/lists/* \
    && git config --system safe.directory /workspace \
    && git config --system safe.bareRepository explicit
COPY --from=build /opt/taskctl /opt/taskctl
ENV PATH=/opt/taskctl/bin:$PATH
WORKDIR /workspace
USER 65532:65532
ENTRYPOINT ["/opt/taskctl/bin/taskctl"]
