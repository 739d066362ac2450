# The last hand of the embedded engine. It holds the other end of a pipe to the engine; when the
# engine is gone, however it went, the pipe ends, and every task of it is stopped.
#
#   reaper.sh MARKER SANDBOXES
#
# Each line on stdin is "+ PGID" or "- PGID": a task's process group began or ended. A process is
# also a task's if its environment holds MARKER or its working directory lies below SANDBOXES, so
# that one which left its group and session (setsid, double fork) is found as well.
# SIGUSR1 asks it to leave out the grace: the next engine on the same state folder is waiting.
marker=$1
sandboxes=$2
groups=' '
hurry=
trap 'hurry=yes' USR1
while read -r sign group; do
  case $sign in
    +) groups="$groups$group " ;;
    -) case $groups in
         *" $group "*) groups="${groups%% "$group" *} ${groups#* "$group" }" ;;
       esac ;;
  esac
done

# Prints the pids of all processes that belong to a task of the engine.
found() {
  [ -d /proc/self ] || return 0
  {
    grep -lzxF -e "$marker" /proc/[0-9]*/environ
    ls -ld /proc/[0-9]*/cwd | grep -F -e "-> $sandboxes/" | sed 's|.* \(/proc/[0-9]*\)/cwd -> .*|\1|'
  } 2>/dev/null | cut -d/ -f3 | sort -u
}

strike() {
  for group in $groups; do kill -s "$1" -- "-$group" 2>/dev/null; done
  pids=$(found)
  # shellcheck disable=SC2086 # a list of pids, one word each
  [ -n "$pids" ] && kill -s "$1" $pids 2>/dev/null
}

alive() {
  for group in $groups; do kill -s 0 -- "-$group" 2>/dev/null && return 0; done
  [ -n "$(found)" ]
}

strike TERM
n=0
while [ $n -lt 6 ] && [ -z "$hurry" ] && alive; do
  sleep 0.2
  n=$((n + 1))
done
n=0
while [ $n -lt 20 ] && alive; do
  strike KILL
  sleep 0.1
  n=$((n + 1))
done
exit 0
