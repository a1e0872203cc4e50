"""What survives a crash: files that are whole or absent, object stores, leases, and the thread that keeps a lease alive."""
