# shellcheck shell=sh
# Sourced before anything else runs in a repository that others can change. It removes from the
# environment what would make a shell, Python, git, ssh, OpenSSL or a client of a state load a file of
# that repository: relative paths, and those inside it or the checkout of a CI job, HOME included. Only
# the shell itself is used.

# The repositories of the working directory and of the paths in the arguments (-C DIR, PATH), and if
# one is a submodule, those around it.
taskctl_checkouts=
for taskctl_name in . "$@"; do
  case $taskctl_name in --*) continue ;; -*C*) taskctl_name=${taskctl_name#-*C} ;; esac
  [ -d "$taskctl_name" ] || taskctl_name=${taskctl_name%/*}
  case $taskctl_name in '' | -*) continue ;; esac
  taskctl_folder=$(CDPATH='' cd -P -- "$taskctl_name" 2>/dev/null && pwd -P) || continue
  while [ -n "$taskctl_folder" ]; do
    if [ -e "$taskctl_folder/.git" ]; then
      taskctl_checkouts=$taskctl_checkouts$taskctl_folder:
      [ -f "$taskctl_folder/.git" ] || break
      read -r taskctl_name <"$taskctl_folder/.git" || :
      case $taskctl_name in */modules/*) ;; *) break ;; esac # not that of a linked work tree
    fi
    taskctl_folder=${taskctl_folder%/*}
  done
done
for taskctl_name in "${GITHUB_WORKSPACE-}" "${CI_PROJECT_DIR-}" "${BUILDKITE_BUILD_CHECKOUT_PATH-}" \
  "${CIRCLE_WORKING_DIRECTORY-}" "${BUILD_SOURCESDIRECTORY-}" "${JENKINS_URL:+${WORKSPACE-}}"; do
  case $taskctl_name in '~'/*) taskctl_name=${HOME-}${taskctl_name#?} ;; esac
  if [ -n "$taskctl_name" ] &&
    taskctl_name=$(CDPATH='' cd -P -- "$taskctl_name" 2>/dev/null && pwd -P); then
    taskctl_checkouts=$taskctl_checkouts$taskctl_name:
  fi
done

taskctl_is_outside() { # whether $1 is an absolute path that is in no checkout
  case $1 in
    *\;*) return 1 ;; # which separates paths in LD_LIBRARY_PATH
    /*) ;;
    *) return 1 ;;
  esac
  [ -n "$taskctl_checkouts" ] || return 0
  taskctl_folder=$1
  [ -d "$1" ] || taskctl_folder=${1%/*}/
  taskctl_folder=$(CDPATH='' cd -P -- "$taskctl_folder" 2>/dev/null && pwd -P) || return 1
  taskctl_others=$taskctl_checkouts
  while [ -n "$taskctl_others" ]; do
    case $taskctl_folder/ in "${taskctl_others%%:*}"/*) return 1 ;; esac
    taskctl_others=${taskctl_others#*:}
  done
}

for taskctl_name in PATH LD_LIBRARY_PATH DYLD_LIBRARY_PATH DYLD_FRAMEWORK_PATH GCONV_PATH \
  HOME XDG_CONFIG_HOME XDG_CONFIG_DIRS GIT_CONFIG_GLOBAL GIT_CONFIG_SYSTEM \
  OPENSSL_CONF OPENSSL_MODULES OPENSSL_ENGINES KRB5_CONFIG AWS_CONFIG_FILE \
  AWS_SHARED_CREDENTIALS_FILE PGSERVICEFILE PGSYSCONFDIR PGSSLROOTCERT AWS_CA_BUNDLE \
  SSL_CERT_FILE SSL_CERT_DIR REQUESTS_CA_BUNDLE CURL_CA_BUNDLE GIT_SSL_CAINFO GIT_SSL_CAPATH \
  PIP_CONFIG_FILE PIP_CERT PIP_CLIENT_CERT; do
  eval "taskctl_rest=\${$taskctl_name-}" taskctl_kept=
  [ -n "$taskctl_rest" ] || continue
  taskctl_rest=$taskctl_rest:
  while [ -n "$taskctl_rest" ]; do
    if taskctl_is_outside "${taskctl_rest%%:*}"; then
      taskctl_kept=$taskctl_kept:${taskctl_rest%%:*}
    fi
    taskctl_rest=${taskctl_rest#*:}
  done
  unset "$taskctl_name"
  [ -z "$taskctl_kept" ] || export "$taskctl_name=${taskctl_kept#:}"
done
export PATH="${PATH:-/usr/bin:/bin}"

# Commands that git runs. The first word may be found in PATH. Any other word that names a file must be
# an absolute path outside; the name of an option may precede it (-F/path, -Fpath, -oName=path), and
# words may be quoted. A shell must have nothing else to interpret.
taskctl_runs_outside() {
  case $1 in *[!A-Za-z0-9\ \'\"\\/.,:_=@%+~-]*) return 1 ;; esac
  taskctl_first=1 taskctl_ifs=$IFS IFS=$IFS"'\"\\="
  for taskctl_word in $1; do
    case $taskctl_word in '') continue ;; -?*) taskctl_word=${taskctl_word#-?} ;; esac
    case $taskctl_word in '~'/*) taskctl_word=${HOME-}${taskctl_word#?} ;; esac
    case $taskctl_word in
      */*) taskctl_is_outside "$taskctl_word" ;;
      *) [ -n "$taskctl_first" ] || [ ! -e "$taskctl_word" ] ;;
    esac || { IFS=$taskctl_ifs && return 1; }
    taskctl_first=
  done
  IFS=$taskctl_ifs
}

# Whether a setting of git, NAME VALUE, cannot make it run a program of a checkout. This lists what is
# harmless, as git's documentation spells it or in lower case: any other setting may start a program,
# read more settings from a file, or select another transport.
taskctl_is_harmless() {
  taskctl_setting=$1
  case $1 in
    http.*) taskctl_setting=http.${1##*.} ;; # http.URL.NAME
    url.https://*.* | url.ssh://*.* | url.git@*.*) taskctl_setting=url.${1##*.} ;;
  esac
  case $taskctl_setting in
    core.sshCommand | core.sshcommand) taskctl_runs_outside "$2" ;;
    http.sslCAInfo | http.sslcainfo | http.sslCAPath | http.sslcapath | \
      http.sslCert | http.sslcert | http.sslKey | http.sslkey) taskctl_is_outside "$2" ;;
    http.extraHeader | http.extraheader | http.proxy | http.version | http.sslVerify | \
      http.sslverify | http.postBuffer | http.postbuffer | http.userAgent | http.useragent) ;;
    url.insteadOf | url.insteadof | url.pushInsteadOf | url.pushinsteadof) ;;
    user.name | user.email | user.useConfigOnly | user.useconfigonly | safe.directory) ;;
    taskctl.removed) ;; # by an earlier run of this script
    protocol.version | init.defaultBranch | init.defaultbranch | color.ui | advice.*) ;;
    *) return 1 ;;
  esac
}

set -f
taskctl_removed=
for taskctl_name in GIT_SSH GIT_SSH_COMMAND GIT_ASKPASS SSH_ASKPASS GIT_PROXY_COMMAND; do
  eval "taskctl_rest=\${$taskctl_name-}"
  taskctl_runs_outside "$taskctl_rest" || {
    unset "$taskctl_name"
    taskctl_removed="$taskctl_removed $taskctl_name"
  }
done
case ${GIT_CONFIG_COUNT-} in *[!0-9]* | ?????*) unset GIT_CONFIG_COUNT ;; esac
taskctl_number=0
while [ "$taskctl_number" -lt "${GIT_CONFIG_COUNT:-0}" ]; do
  eval "taskctl_name=\${GIT_CONFIG_KEY_$taskctl_number-} taskctl_rest=\${GIT_CONFIG_VALUE_$taskctl_number-}"
  taskctl_is_harmless "$taskctl_name" "$taskctl_rest" || {
    export "GIT_CONFIG_KEY_$taskctl_number=taskctl.removed"
    # Only the first and the last part: a URL between them may contain a password.
    taskctl_rest=${taskctl_name##*.}
    case $taskctl_rest in *[!A-Za-z0-9-]*) taskctl_rest='*' ;; esac
    taskctl_name=${taskctl_name%%.*}
    case $taskctl_name in *[!A-Za-z0-9-]*) taskctl_name='*' ;; esac
    taskctl_removed="$taskctl_removed $taskctl_name.$taskctl_rest"
  }
  taskctl_number=$((taskctl_number + 1))
done
case :${GIT_ALLOW_PROTOCOL-}: in *:ext:*) unset GIT_ALLOW_PROTOCOL ;; esac # ext::COMMAND
set +f
[ -z "$taskctl_removed" ] || printf 'taskctl: ignored git settings of the environment:%s\n' "$taskctl_removed" >&2
unset GIT_CONFIG_PARAMETERS GIT_CONFIG GIT_DIR GIT_COMMON_DIR GIT_EXEC_PATH GIT_TEMPLATE_DIR \
  GIT_EXTERNAL_DIFF GIT_EDITOR GIT_SEQUENCE_EDITOR GIT_PAGER EDITOR VISUAL PAGER
unset BASH_ENV ENV CDPATH LD_PRELOAD LD_AUDIT DYLD_INSERT_LIBRARIES PYTHONPATH PYTHONHOME \
  PYTHONUSERBASE PYTHONSTARTUP PYTHONPYCACHEPREFIX PYTHONPLATLIBDIR
