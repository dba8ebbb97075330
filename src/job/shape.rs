//! Every key a job may have, of all versions of the service's interface, and the kind of its value.
//!
//! Source: the ARM resource `Microsoft.ImportExport/jobs`, versions 2016 to 2021; keys the service sets itself are accepted too, since
//! people save what the service returned.

use super::error::JobError;
use super::json::{Cursor, Node};

/// The kind of a value.
enum Shape {
    /// Anything: the keys inside are the customer's own or the platform's.
    Any,
    Text,
    Flag,
    Number,
    Object(&'static [(&'static str, Shape)]),
    List(&'static Shape),
}

use Shape::{Any, Flag, List, Number, Object, Text};

const JOB: Shape = Object(&[
    ("id", Text),
    ("name", Text),
    ("type", Text),
    ("location", Text),
    ("tags", Any),
    ("identity", Any),
    ("systemData", Any),
    ("properties", PROPERTIES),
]);

const PROPERTIES: Shape = Object(&[
    ("storageAccountId", Text),
    ("containerSas", Text),
    ("jobType", Text),
    ("returnAddress", ADDRESS),
    ("returnShipping", Object(&[("carrierName", Text), ("carrierAccountNumber", Text)])),
    ("shippingInformation", CENTRE),
    ("deliveryPackage", PACKAGE),
    ("returnPackage", PACKAGE),
    ("diagnosticsPath", Text),
    ("logLevel", Text),
    ("backupDriveManifest", Flag),
    ("state", Text),
    ("cancelRequested", Flag),
    ("percentComplete", Number),
    ("incompleteBlobListUri", Text),
    ("driveList", List(&DRIVE)),
    ("export", Any),
    ("provisioningState", Text),
    ("encryptionKey", Object(&[("kekType", Text), ("kekUrl", Text), ("kekVaultResourceID", Text)])),
]);

const ADDRESS: Shape = Object(&[
    ("recipientName", Text),
    ("streetAddress1", Text),
    ("streetAddress2", Text),
    ("city", Text),
    ("stateOrProvince", Text),
    ("postalCode", Text),
    ("countryOrRegion", Text),
    ("phone", Text),
    ("email", Text),
]);

const CENTRE: Shape = Object(&[
    ("name", Text),
    ("address", Text),
    ("recipientName", Text),
    ("streetAddress1", Text),
    ("streetAddress2", Text),
    ("city", Text),
    ("stateOrProvince", Text),
    ("postalCode", Text),
    ("countryOrRegion", Text),
    ("phone", Text),
    ("additionalInformation", Text),
]);

const PACKAGE: Shape = Object(&[("carrierName", Text), ("trackingNumber", Text), ("driveCount", Number), ("shipDate", Text)]);

const DRIVE: Shape = Object(&[
    ("driveId", Text),
    ("bitLockerKey", Text),
    ("manifestFile", Text),
    ("manifestHash", Text),
    ("driveHeaderHash", Text),
    ("state", Text),
    ("copyStatus", Text),
    ("percentComplete", Number),
    ("bytesSucceeded", Number),
    ("verboseLogUri", Text),
    ("errorLogUri", Text),
    ("manifestUri", Text),
]);

/// Refuses unknown and repeated keys and values of the wrong kind, anywhere in the job.
pub(super) fn check(job: &Cursor<'_, '_>) -> Result<(), JobError> {
    match_shape(job, &JOB)
}

/// Recursion here follows the constants above, five levels, and not the data.
fn match_shape(cursor: &Cursor<'_, '_>, shape: &Shape) -> Result<(), JobError> {
    match (shape, cursor.node) {
        (Any, _) | (Text, Node::Text(_)) | (Flag, Node::Flag(_)) | (Number, Node::Number) => Ok(()),
        (Object(keys), Node::Object(_)) => match_members(cursor, keys),
        (List(shape), Node::List(_)) => cursor.elements().try_for_each(|element| match_shape(&element, shape)),
        (Text, _) => Err(wrong_kind(cursor, "a text")),
        (Flag, _) => Err(wrong_kind(cursor, "true or false")),
        (Number, _) => Err(wrong_kind(cursor, "a number")),
        (Object(_), _) => Err(wrong_kind(cursor, "an object")),
        (List(_), _) => Err(wrong_kind(cursor, "a list")),
    }
}

fn match_members(object: &Cursor<'_, '_>, keys: &'static [(&'static str, Shape)]) -> Result<(), JobError> {
    let mut seen = vec![false; keys.len()];
    for (key, member) in object.members() {
        let known = keys.iter().zip(&mut seen).find(|((name, _), _)| *name == key);
        let Some(((_, shape), seen)) = known else { return Err(JobError::UnknownKey(member.place())) };
        if std::mem::replace(seen, true) {
            return Err(JobError::RepeatedKey(member.place()));
        }
        // `null` is how some tools write "absent"
        if !matches!(member.node, Node::Null) {
            match_shape(&member, shape)?;
        }
    }
    Ok(())
}

fn wrong_kind(cursor: &Cursor<'_, '_>, expected: &'static str) -> JobError {
    JobError::WrongKind { place: cursor.place(), expected }
}
