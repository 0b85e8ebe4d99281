"""What happens once, before anything listens: the store is brought up to date, plan files are applied, a first start gets
its accounts, certificate and listeners, and the first plan is derived. Runs in a process of its own, unprivileged, so that
the supervisor never opens the store."""
