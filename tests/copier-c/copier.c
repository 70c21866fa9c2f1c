/*
 * `copier HOW FROM TO` copies a decoy in a way that hides the copy, says `copied`, and waits for a line, or its end, on standard input.
 *
 * In C, for the system calls that it is about; static, so that it runs anywhere.
 */
#include "copier.h"

const char *self;

int main(int count, char **arguments) {
    const struct way *const all[] = {hidden_ways, ring_ways, shared_ways, transfer_ways, handed_ways};
    if (count != 4)
        return 64;
    self = arguments[0];
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        for (const struct way *way = all[i]; way->name; way++)
            if (!strcmp(way->name, arguments[1])) {
                way->copy(arguments[2], arguments[3]);
                return 0;
            }
    return 64;
}
