/* The floor of the figures: starts /bin/true, waits for it and makes a line about it durable, N times.
 * usage: floor N FILE. Compiled by benches/figures/floor.rs with the C compiler that the build needs anyway. */
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

int main(int count, char **arguments) {
    if (count != 3) return 2;
    int log = open(arguments[2], O_WRONLY | O_CREAT | O_APPEND, 0600);
    if (log < 0) return 1;
    for (int start = 0; start < atoi(arguments[1]); start++) {
        char *command[] = {"/bin/true", NULL};
        char line[32];
        int status;
        pid_t pid;
        if (posix_spawn(&pid, command[0], NULL, NULL, command, environ) != 0) return 1;
        if (waitpid(pid, &status, 0) != pid || status != 0) return 1;
        int length = snprintf(line, sizeof line, "%d succeeded\n", start);
        if (write(log, line, length) != length || fdatasync(log) != 0) return 1;
    }
    return 0;
}
