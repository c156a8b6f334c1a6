"""Where the tasks of a job are done: in this process, in several, or on a Ray cluster."""
