"""The child process: accepts connections under the plan that it was given, and serves them. Unprivileged."""
