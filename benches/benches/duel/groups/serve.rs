//! The vocabulary of inference servers.

use crate::contenders as of;
use crate::groups::Group;

pub(crate) fn group() -> Group {
    Group::new("serve", of::floor::plain_add(), of::tach::serve::contenders())
}
