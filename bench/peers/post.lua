-- What wrk sends: the body of a file, with the headers of an API client. The values come from bench/asking.py.
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.headers["Authorization"] = "@authorization@"
local file = assert(io.open("@body@", "rb"))
wrk.body = file:read("*a")
file:close()
