/* SPDX-License-Identifier: GPL-2.0-only */
/* What `check` and each report say of the container runtimes whose state names containers. */
#include "session_part.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "../base/small.h"
#include "../pods/runtime_names.h"

void session_note_runtimes(struct features *f, const char *root)
{
	struct runtime_state states[RUNTIME_STATES];
	struct runtime_names *names;
	char why[FEATURES_WHY_LEN];

	if (runtime_names_new(root, 1, &names))
		return;
	runtime_names_state(names, states);
	for (size_t i = 0; i < RUNTIME_STATES; i++) {
		const struct runtime_state *s = &states[i];
		bool bad = s->err && s->err != -ENOENT;

		if (!s->err)
			snprintf(why, sizeof(why), "%zu container%s in '%.100s'", s->containers, ENDING(s->containers),
				 s->place);
		else if (bad)
			snprintf(why, sizeof(why), "'%.80s': %s; its containers are shown by their id", s->place,
				 strerror(-s->err));
		else
			snprintf(why, sizeof(why), "no '%.80s' here (elsewhere: --runtime-dirs)", s->place);
		features_note(f, s->name, bad ? "degraded" : "ok", why);
	}
	runtime_names_free(names);
}

void session_runtime_folders(const char *root, char buf[SESSION_RUNTIMES][SESSION_RUNTIME_PATH], const char **ret_folders)
{
	struct runtime_state states[RUNTIME_STATES];
	struct runtime_names *names;
	size_t n = 0;

	_Static_assert(RUNTIME_STATES == SESSION_RUNTIMES, "a folder for each");
	ret_folders[0] = NULL;
	if (runtime_names_new(root, 1, &names))
		return;
	runtime_names_state(names, states);
	for (size_t i = 0; i < RUNTIME_STATES; i++)
		if (!states[i].err && snprintf(buf[n], SESSION_RUNTIME_PATH, "%s%s%s", root, states[i].place,
					       states[i].below) < SESSION_RUNTIME_PATH) {
			ret_folders[n] = buf[n];
			n++;
		}
	ret_folders[n] = NULL;
	runtime_names_free(names);
}
