//! The gates' scripts by name. `gate.lua` stands before each of them that changes a gate.

use crate::server::scripts::script;

script!(FAILING, "scripts/gate.lua", "scripts/failing.lua");
script!(
    OPERATE,
    "../server/scripts/record.lua",
    "scripts/gate.lua",
    "scripts/operate.lua"
);
script!(PERMIT, "scripts/permit.lua");
script!(PROBED, "scripts/gate.lua", "scripts/probed.lua");
script!(REPORT, "scripts/gate.lua", "scripts/report.lua");
script!(TEND, "scripts/gate.lua", "scripts/tend.lua");
