// Places a model's vertex in the world.
in vec3 position;
in vec3 normal;
in vec2 tag;      // material, part
in vec3 origin;   // world, metres
in vec3 size;     // scale of the model
in vec4 pose;     // cos and sin of the heading, cos and sin of the lean
in vec4 extra;    // identity, row of the palette, sunlight, part of a head

vec3 turned(vec3 p) {
    p = vec3(p.x, pose.z * p.y - pose.w * p.z, pose.w * p.y + pose.z * p.z);
    return vec3(pose.x * p.x - pose.y * p.y, pose.y * p.x + pose.x * p.y, p.z);
}
vec3 placed() { return origin + turned(position * size); }
