"""The Python SDK: apps, concepts and their relations."""

from __future__ import annotations

from clarifai.client.app import App
from clarifai.client.user import User
from facts import BASE, PAT, USER, facts, refusal

with facts() as saw:
    user = User(user_id=USER, base_url=BASE, pat=PAT)
    app = user.create_app("sdk-apps", base_workflow="Universal")
    user.create_app("sdk-other")
    saw["created"] = [app.id, app.user_app_id.user_id]
    saw["listed"] = sorted(a.id for a in user.list_apps() if a.id.startswith("sdk-"))
    saw["page"] = len(list(user.list_apps(page_no=1, per_page=1)))
    saw["filtered"] = [a.id for a in user.list_apps(filter_by={"id": "sdk-oth*"})]
    user.patch_app("sdk-apps", description="Photos from the harbour.", base_workflow="Empty")
    got = user.app("sdk-apps")
    saw["patched"] = [got.description, got.default_workflow.id]
    saw["taken"] = refusal(lambda: user.create_app("sdk-apps"))
    saw["user"] = user.get_user_info().user.id

    app = App(app_id="sdk-apps", user_id=USER, base_url=BASE, pat=PAT)
    saw["trainable"] = "visual-classifier" in app.list_trainable_model_types()
    app.create_concepts(["food", "honey", "syrup"], ["Food", "Honey", "Syrup"])
    saw["concepts"] = sorted((c.id, c.name) for c in app.list_concepts())
    app.inputs().patch_concepts(["syrup"], ["Maple syrup"])
    saw["renamed"] = [c.name for c in app.list_concepts() if c.id == "syrup"]

    app.create_concept_relations("food", ["honey"], ["hypernym"])
    app.create_concept_relations("honey", ["syrup"], ["synonym"])
    saw["relations"] = len(list(app.search_concept_relations()))
    saw["of honey"] = sorted(
        [r.subject_concept.id, r.predicate, r.object_concept.id]
        for r in app.search_concept_relations(concept_id="honey")
    )
    saw["hypernyms"] = [
        [r.subject_concept.id, r.object_concept.id]
        for r in app.search_concept_relations(predicate="hypernym", show_tree=True)
    ]
    (relation,) = app.search_concept_relations(concept_id="food")
    # By the concept that was the object when it was posted.
    app.delete_concept_relations("honey", [relation.id])
    saw["one left"] = [r.predicate for r in app.search_concept_relations()]
    app.delete_concept_relations("syrup")
    saw["none left"] = len(list(app.search_concept_relations()))

    user.delete_app("sdk-apps")
    user.delete_app("sdk-other")
    saw["gone"] = refusal(lambda: user.app("sdk-apps"))
    saw["at the end"] = [a.id for a in user.list_apps() if a.id.startswith("sdk-")]
