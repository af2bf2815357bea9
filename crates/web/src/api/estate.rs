//! The estate: subjects, groups, segments, resources and devices. What is put replaces the whole record.

use axum::extract::State;
use countersign_administrator::{Page as Piece, SubjectFilter};
use countersign_model as model;
use countersign_model::{DeviceId, GroupId, ResourceId, SegmentId, Source, SubjectId};
use http::StatusCode;

use crate::Site;
use crate::api::account::lifetime;
use crate::error::{Fault, Problem};
use crate::extract::{Json, Path, Query};
use crate::guard::Caller;
use crate::wire::{
    Device, EnrolmentBody, Group, GroupBody, InternalUpstream, ManagedBody, OneTime, Page, PageQuery, Resource,
    ResourceBody, RiskBody, Segment, SegmentBody, StateBody, Subject, SubjectBody,
};

impl From<InternalUpstream> for Fault {
    fn from(error: InternalUpstream) -> Self {
        Self::Unacceptable(error.to_string())
    }
}

/// Cuts a list that is sorted by id and held in memory as a whole.
fn sorted<T, W>(
    all: Vec<T>,
    query: &PageQuery,
    id: impl Fn(&T) -> String,
    name: impl Fn(&T) -> String,
    wire: impl Fn(&T) -> W,
) -> Result<axum::Json<Page<W>>, Fault> {
    let limit = super::limit(query.limit)?;
    let text = query.search.as_deref().map(str::to_lowercase);
    let fits = |one: &T| {
        query.cursor.as_ref().is_none_or(|cursor| id(one) > *cursor)
            && text
                .as_deref()
                .is_none_or(|text| id(one).to_lowercase().contains(text) || name(one).to_lowercase().contains(text))
    };
    let found = all.into_iter().filter(fits).take(limit + 1).collect();
    Ok(super::cut(found, limit, id, wire))
}

/// Every identity, sorted by id.
#[utoipa::path(get, path = "/api/v1/subjects", tag = "subjects", params(PageQuery),
    responses((status = 200, body = Page<Subject>), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn subjects(
    State(site): State<Site>,
    _: Caller,
    Query(query): Query<PageQuery>,
) -> Result<axum::Json<Page<Subject>>, Fault> {
    let limit = super::limit(query.limit)?;
    let filter = SubjectFilter { text: query.search.map(|text| text.to_lowercase()), ..SubjectFilter::default() };
    let piece = Piece { after: query.cursor, limit: limit + 1 };
    let found = site.read(move |administrator| administrator.subjects(&piece, &filter)).await?;
    Ok(super::cut(found, limit, |subject| subject.id.to_string(), |subject| Subject::from(subject)))
}

/// One identity.
#[utoipa::path(get, path = "/api/v1/subjects/{id}", tag = "subjects", params(("id" = String, Path)),
    responses((status = 200, body = Subject), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn subject(
    State(site): State<Site>,
    _: Caller,
    Path(id): Path<SubjectId>,
) -> Result<axum::Json<Subject>, Fault> {
    let subject = site.administrator().subject(&id).ok_or(Fault::Absent)?;
    Ok(axum::Json(Subject::from(&subject)))
}

/// Puts an identity: makes it, or replaces it.
#[utoipa::path(put, path = "/api/v1/subjects/{id}", tag = "subjects", params(("id" = String, Path)), request_body = SubjectBody,
    responses((status = 204), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn put_subject(
    State(site): State<Site>,
    caller: Caller,
    Path(id): Path<SubjectId>,
    Json(body): Json<SubjectBody>,
) -> Result<StatusCode, Fault> {
    let known = site.administrator().subject(&id);
    let mut subject = body.subject(id, Source::Administrator, site.now());
    if let Some(known) = known {
        subject.created = known.created;
        subject.last_used = known.last_used;
    }
    site.administrator().put_subject(subject, &caller.actor()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Removes an identity with its sessions and keys; its devices are revoked.
#[utoipa::path(delete, path = "/api/v1/subjects/{id}", tag = "subjects", params(("id" = String, Path)),
    responses((status = 204), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn remove_subject(
    State(site): State<Site>,
    caller: Caller,
    Path(id): Path<SubjectId>,
) -> Result<StatusCode, Fault> {
    site.administrator().remove_subject(&id, &caller.actor()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Disables an identity, or makes it active again.
#[utoipa::path(put, path = "/api/v1/subjects/{id}/state", tag = "subjects", params(("id" = String, Path)), request_body = StateBody,
    responses((status = 204), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn put_state(
    State(site): State<Site>,
    caller: Caller,
    Path(id): Path<SubjectId>,
    Json(body): Json<StateBody>,
) -> Result<StatusCode, Fault> {
    site.administrator().set_subject_state(&id, body.state.into(), &caller.actor()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Sets what is known against an identity.
#[utoipa::path(put, path = "/api/v1/subjects/{id}/risk", tag = "subjects", params(("id" = String, Path)), request_body = RiskBody,
    responses((status = 204), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn put_risk(
    State(site): State<Site>,
    caller: Caller,
    Path(id): Path<SubjectId>,
    Json(body): Json<RiskBody>,
) -> Result<StatusCode, Fault> {
    site.administrator().set_risk(&id, body.risk, body.reason, &caller.actor()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Every group, sorted by id.
#[utoipa::path(get, path = "/api/v1/groups", tag = "groups", params(PageQuery),
    responses((status = 200, body = Page<Group>), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn groups(
    State(site): State<Site>,
    _: Caller,
    Query(query): Query<PageQuery>,
) -> Result<axum::Json<Page<Group>>, Fault> {
    let all = site.administrator().groups();
    sorted(all, &query, |one| one.id.to_string(), |one| one.display_name.clone(), |one| Group::from(one))
}

/// One group.
#[utoipa::path(get, path = "/api/v1/groups/{id}", tag = "groups", params(("id" = String, Path)),
    responses((status = 200, body = Group), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn group(
    State(site): State<Site>,
    _: Caller,
    Path(id): Path<GroupId>,
) -> Result<axum::Json<Group>, Fault> {
    let group = site.administrator().group(&id).ok_or(Fault::Absent)?;
    Ok(axum::Json(Group::from(&group)))
}

/// Puts a group: makes it, or replaces it.
#[utoipa::path(put, path = "/api/v1/groups/{id}", tag = "groups", params(("id" = String, Path)), request_body = GroupBody,
    responses((status = 204), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn put_group(
    State(site): State<Site>,
    caller: Caller,
    Path(id): Path<GroupId>,
    Json(body): Json<GroupBody>,
) -> Result<StatusCode, Fault> {
    let group = body.group(id, Source::Administrator);
    site.administrator().put_group(group, &caller.actor()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Removes a group.
#[utoipa::path(delete, path = "/api/v1/groups/{id}", tag = "groups", params(("id" = String, Path)),
    responses((status = 204), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn remove_group(
    State(site): State<Site>,
    caller: Caller,
    Path(id): Path<GroupId>,
) -> Result<StatusCode, Fault> {
    site.administrator().remove_group(&id, &caller.actor()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Every segment, sorted by id.
#[utoipa::path(get, path = "/api/v1/segments", tag = "segments", params(PageQuery),
    responses((status = 200, body = Page<Segment>), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn segments(
    State(site): State<Site>,
    _: Caller,
    Query(query): Query<PageQuery>,
) -> Result<axum::Json<Page<Segment>>, Fault> {
    let all = site.administrator().segments();
    sorted(all, &query, |one| one.id.to_string(), |one| one.display_name.clone(), |one| Segment::from(one))
}

/// One segment.
#[utoipa::path(get, path = "/api/v1/segments/{id}", tag = "segments", params(("id" = String, Path)),
    responses((status = 200, body = Segment), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn segment(
    State(site): State<Site>,
    _: Caller,
    Path(id): Path<SegmentId>,
) -> Result<axum::Json<Segment>, Fault> {
    let segment = site.administrator().segment(&id).ok_or(Fault::Absent)?;
    Ok(axum::Json(Segment::from(&segment)))
}

/// Puts a segment: makes it, or replaces it.
#[utoipa::path(put, path = "/api/v1/segments/{id}", tag = "segments", params(("id" = String, Path)), request_body = SegmentBody,
    responses((status = 204), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn put_segment(
    State(site): State<Site>,
    caller: Caller,
    Path(id): Path<SegmentId>,
    Json(body): Json<SegmentBody>,
) -> Result<StatusCode, Fault> {
    let segment = body.segment(id, Source::Administrator);
    site.administrator().put_segment(segment, &caller.actor()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Every resource, sorted by id; the parts of Countersign itself too.
#[utoipa::path(get, path = "/api/v1/resources", tag = "resources", params(PageQuery),
    responses((status = 200, body = Page<Resource>), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn resources(
    State(site): State<Site>,
    _: Caller,
    Query(query): Query<PageQuery>,
) -> Result<axum::Json<Page<Resource>>, Fault> {
    let (all, now) = (site.administrator().resources(), site.now());
    sorted(all, &query, |one| one.id.to_string(), |one| one.display_name.clone(), |one| Resource::new(one, now))
}

/// One resource.
#[utoipa::path(get, path = "/api/v1/resources/{id}", tag = "resources", params(("id" = String, Path)),
    responses((status = 200, body = Resource), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn resource(
    State(site): State<Site>,
    _: Caller,
    Path(id): Path<ResourceId>,
) -> Result<axum::Json<Resource>, Fault> {
    let resource = site.administrator().resource(&id).ok_or(Fault::Absent)?;
    Ok(axum::Json(Resource::new(&resource, site.now())))
}

/// Puts a resource: makes it, or replaces it.
#[utoipa::path(put, path = "/api/v1/resources/{id}", tag = "resources", params(("id" = String, Path)), request_body = ResourceBody,
    responses((status = 204), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn put_resource(
    State(site): State<Site>,
    caller: Caller,
    Path(id): Path<ResourceId>,
    Json(body): Json<ResourceBody>,
) -> Result<StatusCode, Fault> {
    let resource = body.resource(id, Source::Administrator)?;
    site.administrator().put_resource(resource, &caller.actor()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Removes a resource; what is open to it ends.
#[utoipa::path(delete, path = "/api/v1/resources/{id}", tag = "resources", params(("id" = String, Path)),
    responses((status = 204), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn remove_resource(
    State(site): State<Site>,
    caller: Caller,
    Path(id): Path<ResourceId>,
) -> Result<StatusCode, Fault> {
    site.administrator().remove_resource(&id, &caller.actor()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Every enrolled device, sorted by id.
#[utoipa::path(get, path = "/api/v1/devices", tag = "devices", params(PageQuery),
    responses((status = 200, body = Page<Device>), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn devices(
    State(site): State<Site>,
    _: Caller,
    Query(query): Query<PageQuery>,
) -> Result<axum::Json<Page<Device>>, Fault> {
    let limit = super::limit(query.limit)?;
    let piece = Piece { after: query.cursor, limit: limit + 1 };
    let found = site
        .read(move |administrator| match query.search.map(|text| text.to_lowercase()) {
            None => administrator.devices(&piece, None),
            Some(text) => administrator.devices_containing(&piece, &text),
        })
        .await?;
    let settings = site.administrator().settings();
    let now = site.now();
    let wire = |one: &model::Device| Device::new(one, &settings.posture, now);
    Ok(super::cut(found, limit, |one| one.id.to_string(), wire))
}

/// One device with its posture, judged now.
#[utoipa::path(get, path = "/api/v1/devices/{id}", tag = "devices", params(("id" = String, Path)),
    responses((status = 200, body = Device), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn device(
    State(site): State<Site>,
    _: Caller,
    Path(id): Path<DeviceId>,
) -> Result<axum::Json<Device>, Fault> {
    let device = site.administrator().device(&id).ok_or(Fault::Absent)?;
    let settings = site.administrator().settings();
    Ok(axum::Json(Device::new(&device, &settings.posture, site.now())))
}

/// Revokes a device: its certificate proves nothing any more.
#[utoipa::path(delete, path = "/api/v1/devices/{id}", tag = "devices", params(("id" = String, Path)),
    responses((status = 204), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn revoke_device(
    State(site): State<Site>,
    caller: Caller,
    Path(id): Path<DeviceId>,
) -> Result<StatusCode, Fault> {
    site.administrator().revoke_device(&id, &caller.actor()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Takes a device into management, or out of it.
#[utoipa::path(put, path = "/api/v1/devices/{id}/managed", tag = "devices", params(("id" = String, Path)), request_body = ManagedBody,
    responses((status = 204), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn put_managed(
    State(site): State<Site>,
    caller: Caller,
    Path(id): Path<DeviceId>,
    Json(body): Json<ManagedBody>,
) -> Result<StatusCode, Fault> {
    site.administrator().set_managed(&id, body.managed, &caller.actor()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A one-time token with which one device is enrolled. It is in the answer, this once.
#[utoipa::path(post, path = "/api/v1/device-enrolments", tag = "devices", request_body = EnrolmentBody,
    responses((status = 201, body = OneTime), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn enrol_device(
    State(site): State<Site>,
    caller: Caller,
    Json(body): Json<EnrolmentBody>,
) -> Result<(StatusCode, axum::Json<OneTime>), Fault> {
    let lifetime = lifetime(body.hours, 24)?;
    let made = site.administrator().invite_device(&body.owner, &body.device, lifetime, &caller.actor()).await?;
    let token = Some(made.secret.expose().to_owned());
    Ok((StatusCode::CREATED, axum::Json(OneTime { link: None, token, expires: made.expires })))
}
