//! The gates' scripts by name. `gate.lua` stands before each of them that changes a gate; it counts
//! jobs with the help of `lanes.lua`.

use crate::server::scripts::script;

macro_rules! gate_script {
    ($name:ident, $($file:literal),+) => {
        script!(
            $name,
            "../server/scripts/clock.lua",
            "../server/scripts/record.lua",
            "../server/scripts/lanes.lua",
            "../held/held.lua",
            "scripts/gate.lua",
            $($file),+
        );
    };
}

gate_script!(FAILING, "scripts/failing.lua");
gate_script!(OPERATE, "scripts/operate.lua");
script!(
    PERMIT,
    "../server/scripts/clock.lua",
    "scripts/limit.lua",
    "scripts/permit.lua"
);
gate_script!(PROBED, "scripts/probed.lua");
gate_script!(RECOVERED, "scripts/recovered.lua");
gate_script!(REPORT, "scripts/ramp.lua", "scripts/report.lua");
gate_script!(TEND, "scripts/ramp.lua", "scripts/tend.lua");
