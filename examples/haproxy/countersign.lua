-- Asks Countersign about a request, and puts its answer in place. Whatever goes wrong here leaves txn.countersign unset,
-- and the configuration refuses such a request.

local key = os.getenv("COUNTERSIGN_PROXY_KEY") or ""
local bridge = os.getenv("COUNTERSIGN_BRIDGE") or "127.0.0.1:8444"

-- Of the connection between client and HAProxy, or written below.
local not_passed_on = {
    ["host"] = true, ["connection"] = true, ["content-length"] = true, ["transfer-encoding"] = true, ["te"] = true,
    ["trailer"] = true, ["expect"] = true, ["keep-alive"] = true, ["proxy-connection"] = true,
}

-- In place of whatever the client sent.
local written = {
    "countersign-subject", "countersign-email", "countersign-groups", "countersign-device", "countersign-decision",
    "countersign-assertion", "cookie", "authorization",
}

local function values(field)
    local list = {}
    for _, value in pairs(field) do list[#list + 1] = value end
    return list
end

local function ask(txn)
    local headers = {}
    for name, field in pairs(txn.http:req_get_headers()) do
        if not not_passed_on[name] then headers[name] = values(field) end
    end
    headers["countersign-proxy-key"] = { key }
    headers["x-forwarded-method"] = { txn.sf:method() }
    headers["x-forwarded-host"] = { txn.sf:req_fhdr("host") }
    headers["x-forwarded-uri"] = { txn.sf:pathq() }
    return core.httpclient():get({
        url = "http://" .. bridge .. "/forward-auth",
        headers = headers,
        timeout = 5000,
    })
end

core.register_action("countersign", { "http-req" }, function(txn)
    local answer = ask(txn)
    if answer == nil or type(answer.status) ~= "number" then return end
    if answer.status == 200 then
        for _, name in ipairs(written) do
            txn.http:req_del_header(name)
            local value = answer.headers[name] and answer.headers[name][0]
            if value ~= nil and value ~= "" then txn.http:req_add_header(name, value) end
        end
        -- Signed, or it is no answer of Countersign's.
        local assertion = answer.headers["countersign-assertion"]
        if assertion ~= nil and assertion[0] ~= nil and assertion[0] ~= "" then
            txn:set_var("txn.countersign", "allowed")
        end
        return
    end
    if answer.status < 300 then return end
    local reply = txn:reply({ status = answer.status, reason = answer.reason })
    for name, field in pairs(answer.headers) do
        if not not_passed_on[name] then
            for _, value in pairs(field) do reply:add_header(name, value) end
        end
    end
    reply:set_body(answer.body or "")
    txn:done(reply)
end, 0)
