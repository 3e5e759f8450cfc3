uniform sampler2DArray cloths;
uniform float lit_windows;   // at night
in vec3 at;
in vec3 across;
in vec4 tint;
in vec3 cloth;
void main() {
    vec3 n = normalize(across);
    if (dot(n, at - eye) > 0.0) n = -n;
    vec3 albedo = tint.rgb * tint.rgb;
    float glow = tint.a;
    if (cloth.z > -0.5) {
        vec4 t = texture(cloths, cloth);
        albedo *= t.rgb * t.rgb;
        glow += (1.0 - t.a) * lit_windows;
        float stain = texture(clouds, vec2(at.x + at.y, at.z * 0.3) * 0.11).b;
        albedo *= 0.80 + 0.35 * stain;
    } else if (cloth.z < -2.5) {
        glow += 5.0 * lit_windows;   // a street lamp
    } else if (cloth.z < -1.5) {
        // Leaves: clumps of light and dark, with holes.
        vec4 leaf = texture(clouds, at.xz * 1.1 + at.yx * 0.83);
        vec4 fine = texture(clouds, at.yz * 2.3 + at.zx * 1.1);
        float clump = leaf.g * 0.6 + fine.r * 0.4;
        if (clump < 0.41) discard;
        albedo *= 0.35 + 1.5 * (clump - 0.3) ;
        n = normalize(n + (vec3(leaf.r, fine.g, leaf.b) - 0.5) * 1.6);
    } else {
        albedo *= 0.85 + 0.3 * texture(clouds, vec2(at.x + at.y, at.z) * 0.2).b;
    }
    show(albedo, n, at, glow, 0.0);
}
